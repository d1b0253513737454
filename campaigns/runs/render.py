"""The message of one customer, with its values filled in."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

import polars as pl

from campaigns.definition.campaign import Definition
from campaigns.definition.template import TemplateValues
from campaigns.rewards.coupons import expiry
from campaigns.runs.data import CampaignData
from engine.customers.behaviour.favourites import favourite_items
from engine.language import text_language
from engine.money import money_text
from engine.offers.offer import Offer


@dataclass(frozen=True, slots=True)
class Rendered:
    """A message as the customer will read it; `expires_at` is None without an offer."""

    customer_id: str
    language: str
    title: str | None
    body: str
    expires_at: datetime | None


@dataclass(frozen=True, slots=True)
class Recipient:
    """Whom a message is for: their figures (a row of FIGURES), name and favourite dish (None where not known)."""

    customer_id: str
    figures: Mapping[str, object]
    name: str | None
    favourite: str | None
    favourite_zh: str | None


class Renderer:
    """Renders the messages of one campaign; each name is unsealed only when its message is rendered."""

    def __init__(self, definition: Definition, data: CampaignData, offer: Offer | None, now: datetime) -> None:
        self._definition = definition
        self._data = data
        self._offer = offer
        self._now = now

    def recipients(self, people: pl.DataFrame, *, as_of: datetime) -> Iterator[Recipient]:
        """Yield a Recipient for each row of `people` (columns of FIGURES)."""
        named = self._data.customers.lazy().select("customer_id", "name").drop_nulls()
        wanted = named.join(people.lazy().select("customer_id"), on="customer_id", how="semi")
        sealed = dict(wanted.collect().iter_rows())
        favourites = {
            customer_id: (name, name_zh or name)
            for customer_id, name, name_zh in favourite_items(
                self._data.lines, self._data.items, people, as_of=as_of
            ).iter_rows()
        }
        for row in people.iter_rows(named=True):
            customer_id = row["customer_id"]
            name = sealed.get(customer_id)
            favourite, favourite_zh = favourites.get(customer_id, (None, None))
            known = None if name is None else self._data.seal.unseal(name).strip() or None
            yield Recipient(customer_id, row, known, favourite, favourite_zh)

    def render(self, person: Recipient, *, code: str) -> Rendered:
        """Return the message of one customer, in their language or the nearest there is."""
        customer_id = person.customer_id
        language, message = self._definition.message_in(_text(person.figures["language"]), self._data.language)
        expires_at, values = self._values(person, text_language(language, self._data.language), code)
        title = message.title.render(values) if message.title else None
        return Rendered(customer_id, language, title, message.body.render(values), expires_at)

    def _values(self, person: Recipient, language: str, code: str) -> tuple[datetime | None, TemplateValues]:
        row = person.figures
        days = row["days_since_last_order"]
        values: dict[str, Mapping[str, object]] = {
            "customer": {
                "id": person.customer_id,
                "name": person.name,
                "orders": row["orders"],
                "days_since_last_order": int(days) if isinstance(days, float) else None,
            },
            "favourite": {"name": person.favourite_zh if language == "zh" else person.favourite},
        }
        offer, terms = self._offer, self._definition.offer
        if offer is None or terms is None:
            return None, values
        expires_at, expires_on = expiry(
            offer,
            now=self._now,
            valid_days=terms.valid_days,
            timezone=_text(row["timezone"]),
            fallback=self._data.timezone,
        )
        spend = offer.min_spend_cents
        values["offer"] = {
            "name": offer.title(language),
            "amount": offer.worth(language),
            "min_spend": money_text(spend, offer.currency) if spend else None,
        }
        values["coupon"] = {"code": code, "expires_on": expires_on}
        return expires_at, values


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None
