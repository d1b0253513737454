"""Bars and dots with intervals, one row each, as SVG elements; colours come from the page's style."""

from __future__ import annotations

import math
import xml.etree.ElementTree as ET
from collections.abc import Sequence
from dataclasses import dataclass

from engine.charts.svg import Child, drawing, element, shortened

# A row's value takes up to 25 characters of the page's bold digits.
WIDTH, LABEL, VALUE, ROW, TOP = 760, 190, 216, 24, 8
AXIS = 22
LONGEST_HINT = 200


@dataclass(frozen=True, slots=True)
class ChartRow:
    """One line of a chart: `bounds` None draws no interval, `value` None only a heading."""

    label: str
    value: float | None = None
    bounds: Sequence[float] | None = None
    strong: bool = False
    beside: str = ""


def bars(rows: Sequence[ChartRow], title: str) -> ET.Element:
    """Draw a bar from 0 for each row, its interval as a whisker, its value beside it."""
    scale = _Scale.over(rows)
    drawn: list[Child] = []
    for i, row in enumerate(rows):
        middle = TOP + i * ROW + ROW / 2
        drawn += [_label(row, middle), _beside(row, middle)]
        if row.value is not None:
            kind = "bar strong" if row.strong else "bar"
            start, end = sorted((scale.x(0), scale.x(row.value)))
            drawn.append(element("rect", x=start, y=middle - 7, width=end - start, height=14, class_=kind))
            drawn += _whisker(row, scale, middle)
    return _chart(title, [*_axis(scale, len(rows)), *drawn], len(rows))


def dots(rows: Sequence[ChartRow], title: str, *, line: float | None = None) -> ET.Element:
    """Draw a dot for each row, its interval as a whisker; `line` is a value all are held against."""
    scale = _Scale.over(rows, line)
    drawn: list[Child] = []
    for i, row in enumerate(rows):
        middle = TOP + i * ROW + ROW / 2
        drawn += [_label(row, middle), _beside(row, middle)]
        if row.value is not None:
            drawn += _whisker(row, scale, middle)
            drawn.append(
                element("circle", cx=scale.x(row.value), cy=middle, r=4.5, class_="dot strong" if row.strong else "dot")
            )
    if line is not None:
        x = scale.x(line)
        drawn.insert(0, element("line", x1=x, x2=x, y1=TOP, y2=TOP + len(rows) * ROW, class_="held"))
    return _chart(title, [*_axis(scale, len(rows)), *drawn], len(rows))


@dataclass(frozen=True, slots=True)
class _Scale:
    """From figures to places across; `step` is between ticks."""

    low: float
    high: float
    step: float

    @classmethod
    def over(cls, rows: Sequence[ChartRow], *others: float | None) -> _Scale:
        values = [n for row in rows for n in (row.value, *(row.bounds or ())) if n is not None and math.isfinite(n)]
        values += [n for n in others if n is not None]
        low, high = min([0.0, *values]), max([0.0, *values])
        if high - low <= 0:
            high = low + 1.0
        rough = (high - low) / 5
        power = 10.0 ** math.floor(math.log10(rough))
        step = next(n * power for n in (1, 2, 5, 10) if n * power >= rough * 0.999)
        return cls(math.floor(low / step + 1e-9) * step, math.ceil(high / step - 1e-9) * step, step)

    def x(self, value: float) -> float:
        share = (min(max(value, self.low), self.high) - self.low) / (self.high - self.low)
        return LABEL + share * (WIDTH - LABEL - VALUE)


def _chart(title: str, drawn: Sequence[Child], rows: int) -> ET.Element:
    return drawing(WIDTH, TOP + rows * ROW + AXIS, element("title", title), *drawn, role="img")


def _axis(scale: _Scale, rows: int) -> list[Child]:
    bottom = TOP + rows * ROW
    digits = max(0, -math.floor(math.log10(scale.step) + 1e-9))
    drawn: list[Child] = []
    for i in range(round((scale.high - scale.low) / scale.step) + 1):
        tick = scale.low + i * scale.step
        x = scale.x(tick)
        zero = abs(tick) < scale.step / 2
        drawn.append(element("line", x1=x, x2=x, y1=TOP, y2=bottom, class_="zero" if zero else "grid"))
        shown = f"{0.0 if zero else tick:.{digits}f}"
        drawn.append(element("text", shown, x=x, y=bottom + 15, text_anchor="middle", class_="tick"))
    return drawn


def _label(row: ChartRow, middle: float) -> ET.Element:
    heading = row.value is None and not row.beside
    kind = "heading" if heading else "strong" if row.strong else "name"
    return element(
        "text",
        element("title", shortened(row.label, LONGEST_HINT)),
        shortened(row.label),
        x=4.0 if heading else LABEL - 10.0,
        y=middle + 4,
        text_anchor="start" if heading else "end",
        class_=kind,
    )


def _beside(row: ChartRow, middle: float) -> ET.Element:
    shown = row.beside
    if not shown and row.value is not None:
        shown = f"{row.value:.3f}"
        if row.bounds:
            shown += f"  ({row.bounds[0]:.3f} – {row.bounds[1]:.3f})"
    return element("text", shown, x=WIDTH - VALUE + 8, y=middle + 4, class_="strong" if row.strong else "value")


def _whisker(row: ChartRow, scale: _Scale, middle: float) -> list[Child]:
    if not row.bounds:
        return []
    low, high = (scale.x(bound) for bound in row.bounds)
    path = f"M{low:.1f} {middle - 4:.1f}v8M{low:.1f} {middle:.1f}H{high:.1f}M{high:.1f} {middle - 4:.1f}v8"
    return [element("path", d=path, class_="whisker")]
