"""SVG and HTML as elements, never as pasted text, so that no name from outside can become markup."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET

Child = ET.Element | str
LONGEST_LABEL = 26
NAMESPACE = "http://www.w3.org/2000/svg"
# Control characters are no XML, and those that turn the direction of text could dress one id up as another.
UNPRINTABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff\ufffe\uffff]")


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


def drawing(width: float, height: float, *children: Child, **attributes: object) -> ET.Element:
    """Return an `svg` element of that size with its children."""
    return element("svg", *children, xmlns=NAMESPACE, viewBox=f"0 0 {width} {height}", **attributes)


def svg_text(root: ET.Element) -> str:
    """Return the text of a file that any browser shows."""
    # A `>` in names and values is escaped, so this touches the ends of empty elements only.
    return ET.tostring(root, encoding="unicode").replace(" />", "/>") + "\n"
