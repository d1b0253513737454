"""What one customer will read: the values of her message, and the message."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

import polars as pl

from campaigns.coupons import expiry
from campaigns.data import CampaignData
from campaigns.definition import Definition
from campaigns.template import Values
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


class Renderer:
    """Renders messages of one campaign; names are unsealed one by one, as each is needed."""

    def __init__(self, definition: Definition, data: CampaignData, offer: Offer | None, now: datetime) -> None:
        self._definition = definition
        self._data = data
        self._offer = offer
        self._now = now

    def names_of(self, people: pl.DataFrame) -> dict[str, str]:
        """Return the sealed names of those of `people` (column customer_id) that have one."""
        named = self._data.customers.lazy().select("customer_id", "name").drop_nulls()
        wanted = named.join(people.lazy().select("customer_id"), on="customer_id", how="semi")
        return dict(wanted.collect().iter_rows())

    def people(self, people: pl.DataFrame) -> Iterator[tuple[dict[str, object], str | None]]:
        """Yield each row of `people` (columns of FIGURES) with her name, None where she gave none."""
        sealed = self.names_of(people)
        for row in people.iter_rows(named=True):
            name = sealed.get(row["customer_id"])
            yield row, None if name is None else self._data.seal.unseal(name).strip() or None

    def render(self, row: Mapping[str, object], name: str | None, *, code: str) -> Rendered:
        """Return the message of one customer (a row of FIGURES), in her language or English."""
        customer_id = str(row["customer_id"])
        language, message = self._definition.message_in(_text(row["language"]))
        expires_at, values = self._values(row, name, language, code)
        title = message.title.render(values) if message.title else None
        return Rendered(customer_id, language, title, message.body.render(values), expires_at)

    def _values(
        self, row: Mapping[str, object], name: str | None, language: str, code: str
    ) -> tuple[datetime | None, Values]:
        days = row["days_since_last_order"]
        customer_id = str(row["customer_id"])
        values: dict[str, Mapping[str, object]] = {
            "customer": {
                "id": customer_id,
                "name": name,
                "orders": row["orders"],
                "days_since_last_order": int(days) if isinstance(days, float) else None,
            },
            "favourite": {"name": self._data.favourites.get(customer_id)},
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
