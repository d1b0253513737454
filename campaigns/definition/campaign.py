"""What a campaign is: the definition a marketer writes in YAML, checked to the last field."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

import orjson

from campaigns.channels.registry import channel_names
from campaigns.definition.offer_terms import OfferTerms, parse_terms
from campaigns.definition.template import Template, compile_template
from engine.customers.consents import ConsentRule
from engine.errors import BadDefinition, did_you_mean
from engine.files.yaml import parse_yaml
from engine.language import LANGUAGES, is_tag, nearest_tag, plain_tag
from engine.segments.library import inline_segments, segment_lookup
from engine.segments.parse import Lookup, parse_rule
from engine.segments.rule import InSegment, Rule, walk

ID = re.compile(r"[a-z0-9][a-z0-9_-]{0,79}")
REQUIRED = ("id", "segment", "message", "channel")
OPTIONAL = (
    "name", "offer", "holdout", "consent", "latest_send_hours", "attribution_days", "step", "error_threshold",
    "audience_drift", "exit_on_order",
)  # fmt: skip
CONSENT_RULES: tuple[ConsentRule, ...] = ("explicit", "not_refused")


@dataclass(frozen=True, slots=True)
class Message:
    """What is sent in one language; `title` None where the channel needs none."""

    title: Template | None
    body: Template


@dataclass(frozen=True, slots=True, kw_only=True)
class Definition:
    """A checked campaign. Shares run from 0 to 1.

    `holdout` is left alone out of those the global holdout spares. A message not sent within `latest_send_hours` of
    its launch expires. Orders count up to `attribution_days` after the decision. A run pauses itself when more than
    `error_threshold` of its messages fail. A launch refuses when more than `audience_drift` of the planned customers
    stopped being eligible. `exit_on_order`: who orders after the decision gets no message (None: by what
    the segment asks). `source` is the definition as JSON and `hash` its SHA-256 together with the currency.
    """

    id: str
    name: str
    name_zh: str
    currency: str
    segment: Rule
    offer: OfferTerms | None
    messages: Mapping[str, Message]
    channel: str
    holdout: float
    consent: ConsentRule
    latest_send_hours: float
    attribution_days: int
    step: str
    error_threshold: float
    audience_drift: float
    exit_on_order: bool | None
    source: str
    hash: str

    def message_in(self, language: str | None, home: str) -> tuple[str, Message]:
        """Return the language a customer is written to and its message: the nearest to theirs, else to the home's."""
        chosen = nearest_tag(language, self.messages, home)
        return chosen, self.messages[chosen]


def parse(text: str, *, currency: str, lookup: Lookup | None = None) -> Definition:
    """Check a YAML (or JSON) text; amounts in it are in major units of `currency`.

    A segment it names is found by `lookup` (None: among the ready ones) and written out in `source`, so that what was
    planned means the same whatever is saved under that name later.

    Raises BadDefinition whose `where` is the field's path.
    """
    tree = parse_yaml(text)
    if not isinstance(tree, Mapping):
        raise BadDefinition("expected fields such as `id:` and `segment:`")
    _refuse_unknown(tree, (*REQUIRED, *OPTIONAL), "")
    for field in REQUIRED:
        if field not in tree:
            raise BadDefinition("missing", where=field)
    return _build(tree, currency, lookup or segment_lookup(None))


def _build(tree: Mapping[object, object], currency: str, lookup: Lookup) -> Definition:
    campaign_id = _identifier(tree["id"], "id")
    name, name_zh = _names(tree.get("name", campaign_id), "name")
    segment = parse_rule(tree["segment"], currency=currency, lookup=lookup)
    if any(isinstance(each, InSegment) for each in walk(segment)):
        tree = {**tree, "segment": inline_segments(tree["segment"], lookup)}
    offer = parse_terms(tree.get("offer"), campaign_id=campaign_id, currency=currency)
    source = orjson.dumps(tree, option=orjson.OPT_SORT_KEYS | orjson.OPT_NON_STR_KEYS).decode()
    return Definition(
        id=campaign_id,
        name=name,
        name_zh=name_zh,
        currency=currency,
        segment=segment,
        offer=offer,
        messages=_messages(tree["message"], has_offer=offer is not None),
        channel=_choice(tree["channel"], channel_names(), "channel"),
        holdout=_number(tree.get("holdout", 0.1), "holdout", least=0, most=0.9, example="0.1, a tenth"),
        consent=cast(ConsentRule, _choice(tree.get("consent", "not_refused"), CONSENT_RULES, "consent")),
        latest_send_hours=_number(
            tree.get("latest_send_hours", 48), "latest_send_hours", least=0.01, most=720, example="48"
        ),
        attribution_days=_days(tree.get("attribution_days", 14), "attribution_days"),
        step=_identifier(tree.get("step", "message"), "step"),
        error_threshold=_number(
            tree.get("error_threshold", 0.2), "error_threshold", least=0.01, most=1, example="0.2, a fifth"
        ),
        audience_drift=_number(
            tree.get("audience_drift", 0.1), "audience_drift", least=0, most=1, example="0.1, a tenth"
        ),
        exit_on_order=_truth_or_none(tree.get("exit_on_order"), "exit_on_order"),
        source=source,
        hash=hashlib.sha256(f"{currency}\n{source}".encode()).hexdigest(),
    )


def _truth_or_none(value: object, where: str) -> bool | None:
    if value is None or isinstance(value, bool):
        return value
    raise BadDefinition("expected true or false", where=where)


def _messages(tree: object, *, has_offer: bool) -> dict[str, Message]:
    if not isinstance(tree, Mapping):
        raise BadDefinition("expected languages such as `en:` and `zh:` with a `body:` each", where="message")
    if not tree:
        raise BadDefinition("expected a text in at least one language, such as `en:`", where="message")
    found: dict[str, Message] = {}
    for language, inner in tree.items():
        where = f"message.{language}"
        if not isinstance(language, str) or not is_tag(language):
            raise BadDefinition("is no language tag such as en, zh-CN or pt-BR", where=where)
        if plain_tag(language) in found:
            raise BadDefinition(f"is {plain_tag(language)} again; keep one", where=where)
        found[plain_tag(language)] = _message(inner, where, has_offer)
    return found


def _message(tree: object, where: str, has_offer: bool) -> Message:
    if isinstance(tree, str):
        tree = {"body": tree}
    if not isinstance(tree, Mapping):
        raise BadDefinition("expected text, or `title:` and `body:`", where=where)
    _refuse_unknown(tree, ("title", "body"), f"{where}.")
    if "body" not in tree:
        raise BadDefinition("missing", where=f"{where}.body")
    title = tree.get("title")
    return Message(
        None if title is None else compile_template(title, where=f"{where}.title", has_offer=has_offer),
        compile_template(tree["body"], where=f"{where}.body", has_offer=has_offer),
    )


def _names(value: object, where: str) -> tuple[str, str]:
    if isinstance(value, Mapping):
        _refuse_unknown(value, LANGUAGES, f"{where}.")
        english = _text(value.get("en"), f"{where}.en")
        return english, _text(value.get("zh", english), f"{where}.zh")
    english = _text(value, where)
    return english, english


def _text(value: object, where: str) -> str:
    if not isinstance(value, str) or not value.strip() or len(value) > 200:
        raise BadDefinition("expected text of 1 to 200 characters", where=where)
    return value.strip()


def _identifier(value: object, where: str) -> str:
    if not isinstance(value, str) or not ID.fullmatch(value):
        raise BadDefinition(
            "expected small letters, digits, - and _ (at most 80), such as dormant_winback", where=where
        )
    return value


def _choice(value: object, valid: tuple[str, ...], where: str) -> str:
    if not isinstance(value, str) or value not in valid:
        raise BadDefinition(f"unknown value {value!r}{did_you_mean(str(value), valid)}", where=where)
    return value


def _number(value: object, where: str, *, least: float, most: float, example: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not least <= value <= most:
        raise BadDefinition(f"expected a number from {least:g} to {most:g}, such as {example}", where=where)
    return float(value)


def _days(value: object, where: str) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= 365:
        raise BadDefinition("expected whole days from 1 to 365", where=where)
    return value


def _refuse_unknown(tree: Mapping[Any, object], valid: tuple[str, ...], prefix: str) -> None:
    for name in tree:
        if name not in valid:
            raise BadDefinition(f"unknown field{did_you_mean(str(name), valid)}", where=f"{prefix}{name}")
