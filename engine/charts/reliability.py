"""The reliability plot: forecast chance against what happened, as one SVG file that any browser shows."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Mapping, Sequence
from typing import Any

from engine.charts.svg import drawing, element, svg_text
from engine.charts.unit_square import UnitSquare

_SQUARE = UnitSquare(size=360, margin=48)


def reliability_svg(quality: Mapping[str, Any]) -> str:
    """Draw the reliability table of a churn model's quality (see `engine.customers.forecast.churn.ChurnQuality`).

    A circle's area goes with its customers; on the diagonal forecasts come true exactly.
    """
    bins: Sequence[Mapping[str, float]] = quality["reliability"]
    most = max((float(each["n"]) for each in bins), default=1.0)
    days, tested = quality["horizon_days"], quality["tested_from"]
    title = f"An order within {days} days: forecast and outcome, {quality['customers']:,} customers from {tested}"
    size = _SQUARE.size
    return svg_text(
        drawing(
            size,
            size,
            element("rect", width=size, height=size, fill="white"),
            element("text", title, x=8, y=18, font_size=10),
            _SQUARE.diagonal(stroke="#bbb", stroke_dasharray=4),
            _SQUARE.frame(fill="none", stroke="#444"),
            *_SQUARE.ticks("g"),
            element("g", *(_circle(each, most) for each in bins), fill="#1f6f78", fill_opacity=".8"),
            *_SQUARE.titles("forecast chance", "observed share"),
            font_family="sans-serif",
            font_size=11,
        )
    )


def _circle(row: Mapping[str, float], most: float) -> ET.Element:
    forecast, observed, n = row["forecast"], row["observed"], row["n"]
    about = f"forecast {forecast:.3f}, observed {observed:.3f}, {n:,} customers"
    x, y, r = _SQUARE.x(forecast), _SQUARE.y(observed), 3 + 4 * n / most
    return element("circle", element("title", about), cx=f"{x:.1f}", cy=f"{y:.1f}", r=f"{r:.1f}")
