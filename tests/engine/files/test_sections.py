"""Sections of YAML files: values are checked against the fields of a dataclass."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from engine.errors import BadDefinition
from engine.files.sections import key, mapping, section


@dataclass(frozen=True, slots=True)
class Oven:
    """An example."""

    degrees: int = key(180, "Heat.", 50, 300)
    share: float = key(0.5, "Share.")
    mode: str = key("fan", "Mode.", choices=("fan", "grill"))


def test_values_take_the_type_of_their_field() -> None:
    found = section(Oven, {"degrees": 200.0, "share": 1, "mode": "grill"}, "oven")
    assert found == {"degrees": 200, "share": 1.0, "mode": "grill"}
    assert (type(found["degrees"]), type(found["share"])) == (int, float)


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ([1], "oven: must be keys and values"),
        ({"degres": 1}, "oven.degres: unknown key; did you mean 'degrees'?"),
        ({"degrees": 1.5}, "oven.degrees: 1.5 is no whole number"),
        ({"degrees": True}, "oven.degrees: True is no whole number"),
        ({"degrees": 301}, "oven.degrees: 301 must lie between 50 and 300"),
        ({"share": float("nan")}, "oven.share: nan must lie between 0 and 1"),
        ({"mode": "gril"}, "oven.mode: 'gril' is none of fan, grill"),
    ],
)
def test_a_wrong_value_is_named_by_its_path(content: object, told: str) -> None:
    with pytest.raises(BadDefinition) as refused:
        section(Oven, content, "oven")
    assert str(refused.value).startswith(told)


def test_names_are_checked_against_the_known_ones() -> None:
    assert mapping({"a": 1}, ("a", "b"), "file") == {"a": 1}
    with pytest.raises(BadDefinition, match=r"file\.c: unknown key"):
        mapping({"c": 1}, ("a", "b"), "file")
