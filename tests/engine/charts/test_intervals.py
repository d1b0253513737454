"""Bars and dots lie where their values say, and any names give a chart that parses."""

from __future__ import annotations

import xml.etree.ElementTree as ET

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.charts.intervals import ChartRow, bars, dots

SVG = "{http://www.w3.org/2000/svg}"
FINITE = st.floats(-1e6, 1e6)


def drawn(chart: ET.Element, name: str) -> list[ET.Element]:
    return [each for each in chart.iter() if each.tag == name]


def number(each: ET.Element, attribute: str) -> float:
    return float(each.get(attribute, "nan"))


def test_bars_are_as_long_as_their_values() -> None:
    chart = bars([ChartRow("a", 0.2, (0.1, 0.3)), ChartRow("b", 0.4)], "two")
    a, b = (number(each, "width") for each in drawn(chart, "rect"))
    assert b == pytest.approx(2 * a, rel=1e-2)
    assert len([path for path in drawn(chart, "path") if path.get("class") == "whisker"]) == 1


def test_dots_left_of_zero_are_left_of_the_zero_line() -> None:
    chart = dots([ChartRow("worse", -0.1, (-0.2, 0.05)), ChartRow("better", 0.1)], "two", line=0.02)
    zero = next(number(line, "x1") for line in drawn(chart, "line") if line.get("class") == "zero")
    held = next(number(line, "x1") for line in drawn(chart, "line") if line.get("class") == "held")
    worse, better = (number(circle, "cx") for circle in drawn(chart, "circle"))
    assert worse < zero < held < better


def test_a_row_without_a_value_is_a_heading() -> None:
    chart = bars([ChartRow("figures"), ChartRow("a", 1.0, beside="one")], "headed")
    texts = {each.get("class"): "".join(each.itertext()) for each in drawn(chart, "text")}
    assert texts["heading"].endswith("figures")
    assert texts["value"] == "one"


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.text(), FINITE, st.none() | st.tuples(FINITE, FINITE)), max_size=8))
def test_any_figures_and_names_give_a_chart_that_parses_and_stays_inside(
    rows: list[tuple[str, float, tuple[float, float] | None]],
) -> None:
    given_rows = [ChartRow(label, value, bounds) for label, value, bounds in rows]
    for draw in (bars, dots):
        chart = ET.fromstring(ET.tostring(draw(given_rows, "any")))  # noqa: S314 - our own text
        assert chart.tag == f"{SVG}svg"
        for circle in chart.iter(f"{SVG}circle"):
            assert 190 <= number(circle, "cx") <= 760 - 216
