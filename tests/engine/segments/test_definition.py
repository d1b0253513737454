"""A definition as written: parameters, headings, and what is refused with its place."""

from __future__ import annotations

import pytest

from engine.errors import BadDefinition
from engine.segments.definition import (
    READY_SEGMENTS,
    read_segment_definition,
    ready_segment,
    ready_segment_names,
    segment_definition_of,
)

STEPS = zip("abcdef", "bcdefg", strict=True)
ALIASES = "a: &a [1,1,1,1,1,1,1,1,1]\n" + "".join(f"{c}: &{c} [{','.join([f'*{p}'] * 9)}]\n" for p, c in STEPS)


def test_parameters_are_filled_in_and_checked() -> None:
    definition = read_segment_definition(
        "parameters: {least: 2, zone: }\nrule: {all: [{orders: {at_least: $least}}, {zone: $zone}]}"
    )
    filled = definition.filled({"zone": "north"}, where="x")
    assert filled == {"all": [{"orders": {"at_least": 2}}, {"zone": "north"}]}
    with pytest.raises(BadDefinition, match="needs its parameter 'zone'"):
        definition.filled({}, where="x")
    with pytest.raises(BadDefinition, match="unknown parameter 'zon'; did you mean 'zone'"):
        definition.filled({"zon": "north"}, where="x")


def test_a_bare_rule_is_a_definition_without_headings() -> None:
    definition = segment_definition_of({"orders": {"at_least": 2}})
    assert definition.as_json() == {"rule": {"orders": {"at_least": 2}}}


def test_one_text_for_a_heading_stands_for_both_languages() -> None:
    definition = read_segment_definition("name: Mine\nrule: {orders: {at_least: 2}}")
    assert definition.title == {"en": "Mine", "zh": "Mine"}
    assert definition.as_json()["name"] == definition.title


def test_every_ready_segment_has_a_name_and_a_sentence_in_both_languages() -> None:
    assert ready_segment_names() == sorted(path.stem for path in READY_SEGMENTS.iterdir())
    for name in ready_segment_names():
        definition = ready_segment(name)
        assert definition.title.keys() == definition.about.keys() == {"en", "zh"}, name


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("rule: [", "broken YAML"),
        ("orders: {at_least: 1}\norders: {at_least: 2}", "given twice"),
        ("rule: {orders: {at_least: 1}}\ntitle: x", "title: unknown field"),
        ("rule: {orders: {at_least: 1}}\nparameters: [x]", "parameters: expected names"),
        ("rule: {orders: {at_least: 1}}\nname: 3", "name: expected text"),
        ("x" * 300_000, "larger than"),
        (
            ALIASES,
            "too large",
        ),
    ],
)  # fmt: skip
def test_text_that_is_no_definition_says_why(text: str, message: str) -> None:
    with pytest.raises(BadDefinition, match=message):
        read_segment_definition(text)
