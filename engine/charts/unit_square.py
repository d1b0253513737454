"""Figures over the unit square: shares across, shares up, and the diagonal of equality."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from engine.charts.svg import Child, drawing, element, shortened

TICKS = (0, 0.25, 0.5, 0.75, 1)


@dataclass(frozen=True, slots=True)
class UnitSquare:
    """Where shares from 0 to 1 lie in a square drawing of `size`, `margin` free on every side."""

    size: int
    margin: int

    def x(self, share: float) -> float:
        """Return the place across."""
        return self.margin + share * (self.size - 2 * self.margin)

    def y(self, share: float) -> float:
        """Return the place from the top; 1 is uppermost."""
        return self.size - self.margin - share * (self.size - 2 * self.margin)

    def frame(self, **attributes: object) -> ET.Element:
        """Return both axes."""
        return element("path", d=f"M{self.x(0)} {self.y(1)}V{self.y(0)}H{self.x(1)}", **attributes)

    def diagonal(self, **attributes: object) -> ET.Element:
        """Return the line from (0, 0) to (1, 1)."""
        return element("line", x1=self.x(0), y1=self.y(0), x2=self.x(1), y2=self.y(1), **attributes)

    def ticks(self, form: str, **attributes: object) -> Iterator[ET.Element]:
        """Yield the labels of both axes, each share written in the format `form`."""
        for share in TICKS:
            label, left = format(share, form), self.margin - 6
            x, below = f"{self.x(share):.0f}", self.size - self.margin + 16
            yield element("text", label, x=x, y=below, text_anchor="middle", **attributes)
            yield element("text", label, x=left, y=f"{self.y(share) + 4:.0f}", text_anchor="end", **attributes)

    def titles(self, across: str, up: str, **attributes: object) -> Iterator[ET.Element]:
        """Yield what the axes show."""
        half = self.size / 2
        yield element("text", across, x=half, y=self.size - 8, text_anchor="middle", **attributes)
        turned = {"transform": f"rotate(-90 12 {half})", **attributes}
        yield element("text", up, x=12, y=half, text_anchor="middle", **turned)


_SQUARE = UnitSquare(size=380, margin=46)


def curve(lines: Sequence[tuple[str, Sequence[float]]], title: str, across: str, up: str) -> ET.Element:
    """Draw curves from (0, 0) to (1, 1); the first is the one that matters. Colours come from the page's style."""
    drawn: list[Child] = [
        element("title", title),
        _SQUARE.frame(class_="frame"),
        _SQUARE.diagonal(class_="held"),
        *_SQUARE.ticks(".0%", class_="tick"),
    ]
    for i, (name, shares) in enumerate(lines):
        steps = max(len(shares) - 1, 1)
        points = " ".join(f"{_SQUARE.x(n / steps):.1f},{_SQUARE.y(share):.1f}" for n, share in enumerate(shares))
        kind = "curve strong" if i == 0 else "curve"
        legend, left = _SQUARE.margin + 12 + i * 18, _SQUARE.margin
        drawn.append(element("polyline", points=points, class_=kind))
        drawn.append(element("line", x1=left + 10, x2=left + 34, y1=legend, y2=legend, class_=kind))
        drawn.append(element("text", shortened(name, 30), x=left + 40, y=legend + 4))
    drawn += _SQUARE.titles(across, up, class_="tick")
    return drawing(_SQUARE.size, _SQUARE.size, *drawn, role="img", class_="square")
