"""The plot is SVG with a circle per group, placed where its figures say."""

from __future__ import annotations

from xml.etree import ElementTree as ET

from engine.charts.reliability import reliability_svg


def test_every_group_is_a_circle_at_its_forecast_and_outcome() -> None:
    bins = [{"forecast": 0.0, "observed": 0.0, "n": 10}, {"forecast": 1.0, "observed": 0.5, "n": 5}]
    quality = {"reliability": bins, "horizon_days": 28, "tested_from": "2026-02-01", "customers": 15}
    root = ET.fromstring(reliability_svg(quality))  # noqa: S314 - our own text
    circles = [each.attrib for each in root.iter("{http://www.w3.org/2000/svg}circle")]
    assert [(float(c["cx"]), float(c["cy"])) for c in circles] == [(48.0, 312.0), (312.0, 180.0)]
    assert float(circles[0]["r"]) > float(circles[1]["r"])
    assert "28 days" in "".join(root.itertext())
