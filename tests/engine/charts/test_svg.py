"""Text from outside stays text, whatever it holds."""

from __future__ import annotations

import xml.etree.ElementTree as ET

from hypothesis import given
from hypothesis import strategies as st

from engine.charts.svg import drawing, element, printable, shortened, svg_text


@given(st.text())
def test_any_text_gives_a_file_that_parses_and_holds_no_other_element(text: str) -> None:
    root = ET.fromstring(svg_text(drawing(10, 10, element("text", text, class_=text))))  # noqa: S314 - our own text
    assert [each.tag.rpartition("}")[2] for each in root.iter()] == ["svg", "text"]


@given(st.text())
def test_printable_text_is_always_xml(text: str) -> None:
    plain = printable(text).replace("&", "").replace("<", "")
    assert ET.fromstring(f"<a>{plain}</a>") is not None  # noqa: S314 - our own text


def test_long_names_are_shortened_with_an_ellipsis() -> None:
    assert shortened("ab", 2) == "ab"
    assert shortened("abc", 2) == "a…"


def test_text_between_elements_stays_in_its_place() -> None:
    made = element("p", "one ", element("b", "two"), " three", data_of="x")
    assert ET.tostring(made, encoding="unicode") == '<p data-of="x">one <b>two</b> three</p>'
