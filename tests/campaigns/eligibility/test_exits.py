"""A campaign about silence ends for whoever orders; others go on."""

from __future__ import annotations

import pytest

from campaigns.definition.campaign import parse
from campaigns.eligibility.exits import exits_on_order
from tests.campaigns.town import WINBACK


def definition(rule: str, more: str = "") -> str:
    return f"""
id: c
segment: {rule}
message: {{en: {{body: hello}}, zh: {{body: hello}}}}
channel: recording
{more}
"""


@pytest.mark.parametrize(
    ("rule", "exits"),
    [
        ("{all: [{days_since_last_order: {at_least: 30}}, {orders: {at_least: 2}}]}", True),
        ("{any: [{orders: {at_least: 9}}, {all: [{days_since_last_order: {above: 30}}]}]}", True),
        ("{lifecycle: {in: [likely_lapsed, lapsed]}}", True),
        ("{segment: dormant}", True),
        ("{days_since_last_order: {below: 30}}", False),
        ("{orders: {at_least: 8}}", False),
        ("{lifecycle: {in: [active]}}", False),
    ],
)
def test_a_segment_that_asks_for_silence_ends_with_an_order(rule: str, exits: bool) -> None:
    assert exits_on_order(parse(definition(rule), currency="USD")) is exits


def test_the_definition_has_the_last_word() -> None:
    assert not exits_on_order(parse(WINBACK + "exit_on_order: false\n", currency="USD"))
    assert exits_on_order(parse(definition("{orders: {at_least: 8}}", "exit_on_order: true"), currency="USD"))
