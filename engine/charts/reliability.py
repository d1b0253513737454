"""The reliability plot: forecast chance against what happened, as one SVG file that any browser shows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

SIZE, MARGIN = 360, 48


def reliability_svg(quality: Mapping[str, Any]) -> str:
    """Draw the reliability table of a return model's quality (see `engine.customers.forecast.churn.ChurnQuality`).

    A circle's area goes with its customers; on the diagonal forecasts come true exactly.
    """
    bins: Sequence[Mapping[str, float]] = quality["reliability"]
    most = max((float(each["n"]) for each in bins), default=1.0)
    circles = "".join(
        f'<circle cx="{_x(each["forecast"]):.1f}" cy="{_y(each["observed"]):.1f}" r="{3 + 4 * each["n"] / most:.1f}">'
        f"<title>forecast {each['forecast']:.3f}, observed {each['observed']:.3f}, {each['n']:,} customers</title>"
        "</circle>"
        for each in bins
    )
    ticks = "".join(
        f'<text x="{_x(t):.0f}" y="{SIZE - MARGIN + 16}" text-anchor="middle">{t:g}</text>'
        f'<text x="{MARGIN - 6}" y="{_y(t) + 4:.0f}" text-anchor="end">{t:g}</text>'
        for t in (0, 0.25, 0.5, 0.75, 1)
    )
    days, tested = quality["horizon_days"], quality["tested_from"]
    title = f"An order within {days} days: forecast and outcome, {quality['customers']:,} customers from {tested}"
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {SIZE} {SIZE}" font-family="sans-serif" font-size="11">'
        f'<rect width="{SIZE}" height="{SIZE}" fill="white"/><text x="8" y="18" font-size="10">{title}</text>'
        f'<line x1="{_x(0)}" y1="{_y(0)}" x2="{_x(1)}" y2="{_y(1)}" stroke="#bbb" stroke-dasharray="4"/>'
        f'<path d="M{_x(0)} {_y(1)}V{_y(0)}H{_x(1)}" fill="none" stroke="#444"/>{ticks}'
        f'<g fill="#1f6f78" fill-opacity=".8">{circles}</g>'
        f'<text x="{SIZE / 2}" y="{SIZE - 8}" text-anchor="middle">forecast chance</text>'
        f'<text x="12" y="{SIZE / 2}" text-anchor="middle" transform="rotate(-90 12 {SIZE / 2})">observed share</text>'
        "</svg>\n"
    )


def _x(share: float) -> float:
    return MARGIN + share * (SIZE - 2 * MARGIN)


def _y(share: float) -> float:
    return SIZE - MARGIN - share * (SIZE - 2 * MARGIN)
