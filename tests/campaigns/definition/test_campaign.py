"""A definition is checked to its last field, and every error names the field."""

from __future__ import annotations

import pytest

from campaigns.definition.campaign import parse
from engine.errors import BadDefinition
from tests.campaigns.town import WINBACK


def refusal(text: str) -> str:
    with pytest.raises(BadDefinition) as refused:
        parse(text, currency="USD")
    return str(refused.value)


def changed(old: str, new: str) -> str:
    assert old in WINBACK
    return WINBACK.replace(old, new)


def test_a_definition_read_back_from_its_source_is_the_same() -> None:
    definition = parse(WINBACK, currency="USD")
    again = parse(definition.source, currency="USD")
    assert (again.hash, again.segment, again.offer) == (definition.hash, definition.segment, definition.offer)


def test_the_hash_changes_with_any_field_and_not_with_layout() -> None:
    first = parse(WINBACK, currency="USD").hash
    assert parse("# a remark\n" + WINBACK, currency="USD").hash == first
    assert parse(changed("holdout: 0.2", "holdout: 0.21"), currency="USD").hash != first
    assert parse(WINBACK, currency="EUR").hash != first


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("id: winback", "id: Win Back", "id: expected small letters"),
        ("id: winback", "id: 7", "id: expected small letters"),
        ("id: winback", "name: x", "id: missing"),
        ("holdout: 0.2", "holdut: 0.2", "holdut: unknown field; did you mean 'holdout'?"),
        ("holdout: 0.2", "holdout: 1", "holdout: expected a number from 0 to 0.9"),
        ("holdout: 0.2", "holdout: yes", "holdout: expected a number"),
        ("holdout: 0.2", "holdout: .nan", "holdout: expected a number"),
        ("holdout: 0.2", "consent: maybe", "consent: unknown value 'maybe'"),
        ("holdout: 0.2", "latest_send_hours: 0", "latest_send_hours: expected a number"),
        ("holdout: 0.2", "attribution_days: 1.5", "attribution_days: expected whole days"),
        ("holdout: 0.2", "name: {de: Hallo}", "name.de: unknown field"),
        ("channel: recording", "channel: pigeon", "channel: unknown value 'pigeon'"),
        ("orders:", "orderz:", "segment.all[1].orderz: unknown field; did you mean 'orders'?"),
        ("kind: amount", "kind: amout", "offer.kind: unknown kind; did you mean 'amount'?"),
        ("amount: 5", "amount: 5.001", "offer.amount: expected an amount in USD above 0"),
        ("amount: 5", "amount: -5", "offer.amount: expected an amount in USD above 0"),
        ("kind: amount, amount: 5", "kind: percent, percent: 20", "offer.cap: missing"),
        ("kind: amount, amount: 5", "kind: percent, percent: 200, cap: 5", "offer.percent: expected a percentage"),
        ("kind: amount, amount: 5", "kind: amount", "offer.amount: missing"),
        ("valid_days: 7", "valid_days: 0", "offer.valid_days: expected whole days"),
        ("valid_days: 7", "valid_day: 7", "offer.valid_day: unknown field; did you mean 'valid_days'?"),
        ("  en:", "  french:", "message.french: is no language tag"),
        ("body: \"{{ offer.amount }}", "body: \"{{ offer.amout }}", "message.en.body: unknown variable 'offer.amout'"),
        ("title:", "titel:", "message.en.titel: unknown field"),
    ],
)  # fmt: skip
def test_a_wrong_field_is_named_with_what_to_do(old: str, new: str, message: str) -> None:
    assert refusal(changed(old, new)).startswith(message)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("id: [", "line 1: broken YAML"),
        ("- a\n- b", "expected fields such as"),
        ("", "expected fields such as"),
        ("id: a\nid: b", "id: 'id' is given twice (line 2)"),
        ("!!python/object/apply:os.system ['true']", "line 1: broken YAML"),
        ("a: &a [*a]", "a[0]: nested without end"),
        ("id: a\nsegment: {}\nmessage: {}\nchannel: recording", "segment: expected one clause"),
    ],
)
def test_broken_yaml_is_one_line_with_its_place(text: str, message: str) -> None:
    assert refusal(text).startswith(message)


def test_a_message_that_refers_to_itself_is_refused() -> None:
    text = "id: a\nsegment: &s {all: [*s]}\nmessage: {en: x}\nchannel: recording"
    assert refusal(text) == "segment.all[0]: nested without end"


def test_a_message_may_be_in_any_language_and_the_nearest_is_sent() -> None:
    many = parse(
        "id: hello\nsegment: {orders: {at_least: 1}}\nchannel: recording\n"
        "message: {zh_TW: {body: a}, de: {body: b}, pt-BR: {body: c}}\n",
        currency="USD",
    )
    assert sorted(many.messages) == ["de", "pt-BR", "zh-TW"]
    assert [many.message_in(tag, "zh")[0] for tag in ("de-AT", "pt", "zh-Hant", "fr", None)] == [
        "de", "pt-BR", "zh-TW", "zh-TW", "zh-TW"
    ]  # fmt: skip
    assert many.message_in("fr", "en")[0] == "de"


def test_one_language_in_two_spellings_is_refused() -> None:
    with pytest.raises(BadDefinition, match="is zh-CN again; keep one"):
        parse(
            "id: hello\nsegment: {orders: {at_least: 1}}\nchannel: recording\nmessage: {zh_CN: a, zh-CN: b}\n",
            currency="USD",
        )
