"""Shares lie where they belong in the square, and a curve runs from corner to corner."""

from __future__ import annotations

from engine.charts.unit_square import UnitSquare, curve


def test_the_corners_of_the_square_leave_the_margin_free() -> None:
    square = UnitSquare(size=100, margin=10)
    assert [(square.x(share), square.y(share)) for share in (0, 0.5, 1)] == [(10, 90), (50, 50), (90, 10)]


def test_ticks_are_labelled_on_both_axes_in_the_form_asked() -> None:
    labels = [each.text for each in UnitSquare(size=100, margin=10).ticks(".0%")]
    assert labels == ["0%", "0%", "25%", "25%", "50%", "50%", "75%", "75%", "100%", "100%"]


def test_the_curve_runs_from_corner_to_corner() -> None:
    chart = curve([("shown", [0.0, 0.25, 1.0])], "exposure", "dishes", "showing")
    (line,) = (each for each in chart.iter() if each.tag == "polyline")
    points = [tuple(map(float, point.split(","))) for point in line.get("points", "").split()]
    assert points == [(46.0, 334.0), (190.0, 262.0), (334.0, 46.0)]
