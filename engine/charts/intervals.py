"""Charts of a report as SVG elements: bars and dots with intervals, and the curve of exposure.

Everything is built from elements, never from pasted text, so that no name from outside can become markup.
"""

from __future__ import annotations

import math
import re
import xml.etree.ElementTree as ET
from collections.abc import Sequence
from dataclasses import dataclass

Child = ET.Element | str
# A row's value takes up to 25 characters of the page's bold digits.
WIDTH, LABEL, VALUE, ROW, TOP = 760, 190, 216, 24, 8
AXIS = 22
LONGEST_LABEL, LONGEST_HINT = 26, 200
# Control characters are no XML, and those that turn the direction of text could dress one id up as another.
UNPRINTABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff\ufffe\uffff]")


@dataclass(frozen=True, slots=True)
class ChartRow:
    """One line of a chart: `bounds` None draws no interval, `value` None only a heading."""

    label: str
    value: float | None = None
    bounds: Sequence[float] | None = None
    strong: bool = False
    beside: str = ""


def element(name: str, /, *children: Child, **attributes: object) -> ET.Element:
    """Return an element with text and elements inside; `class_` gives class and _ gives - in attribute names."""
    made = ET.Element(name, {key.rstrip("_").replace("_", "-"): printable(value) for key, value in attributes.items()})
    for child in children:
        if isinstance(child, ET.Element):
            made.append(child)
        elif len(made):
            made[-1].tail = (made[-1].tail or "") + printable(child)
        else:
            made.text = (made.text or "") + printable(child)
    return made


def printable(value: object) -> str:
    """Return the text with what no page can show, or would show misleadingly, as U+FFFD."""
    return UNPRINTABLE.sub("\ufffd", f"{value:.1f}" if isinstance(value, float) else str(value))


def shortened(text: str, most: int = LONGEST_LABEL) -> str:
    """Return at most `most` characters, an ellipsis in place of the rest."""
    return text if len(text) <= most else f"{text[: most - 1]}…"


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


def curve(lines: Sequence[tuple[str, Sequence[float]]], title: str, across: str, up: str) -> ET.Element:
    """Draw curves from (0, 0) to (1, 1) with the diagonal of equality; the first is the one that matters."""
    size, margin = 380, 46

    def x(share: float) -> float:
        return margin + share * (size - 2 * margin)

    def y(share: float) -> float:
        return size - margin - share * (size - 2 * margin)

    drawn: list[Child] = [
        element("path", d=f"M{x(0):.1f} {y(1):.1f}V{y(0):.1f}H{x(1):.1f}", class_="frame"),
        element("line", x1=x(0), y1=y(0), x2=x(1), y2=y(1), class_="held"),
    ]
    for tick in (0.0, 0.25, 0.5, 0.75, 1.0):
        drawn.append(element("text", f"{tick:.0%}", x=x(tick), y=y(0) + 16, text_anchor="middle", class_="tick"))
        drawn.append(element("text", f"{tick:.0%}", x=x(0) - 6, y=y(tick) + 4, text_anchor="end", class_="tick"))
    for i, (name, shares) in enumerate(lines):
        steps = max(len(shares) - 1, 1)
        points = " ".join(f"{x(n / steps):.1f},{y(share):.1f}" for n, share in enumerate(shares))
        kind = "curve strong" if i == 0 else "curve"
        drawn.append(element("polyline", points=points, class_=kind))
        legend = margin + 12 + i * 18
        drawn.append(element("line", x1=margin + 10, x2=margin + 34, y1=legend, y2=legend, class_=kind))
        drawn.append(element("text", shortened(name, 30), x=margin + 40, y=legend + 4))
    drawn.append(element("text", across, x=size / 2, y=size - 8, text_anchor="middle", class_="tick"))
    drawn.append(
        element(
            "text",
            up,
            x=12,
            y=size / 2,
            text_anchor="middle",
            class_="tick",
            transform=f"rotate(-90 12 {size / 2:.0f})",
        )
    )
    return element(
        "svg",
        element("title", title),
        *drawn,
        viewBox=f"0 0 {size} {size}",
        xmlns="http://www.w3.org/2000/svg",
        role="img",
        class_="square",
    )


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
    return element(
        "svg",
        element("title", title),
        *drawn,
        viewBox=f"0 0 {WIDTH} {TOP + rows * ROW + AXIS}",
        xmlns="http://www.w3.org/2000/svg",
        role="img",
    )


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
