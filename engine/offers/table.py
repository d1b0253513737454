"""The offers of the offers table (schema OFFERS), row by row."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import cast

import polars as pl

from engine.offers.kinds.discount import kind_named
from engine.offers.kinds.fields import count_of
from engine.offers.offer import Offer, audience_named


def offers_from(table: pl.DataFrame, *, currency: str) -> tuple[Offer, ...]:
    """Return the offers of a table with schema OFFERS, by offer_id; `currency` is that of rows that name none.

    Raises BadDefinition naming the row whose terms make no offer.
    """
    return tuple(_offer_from(row, currency) for row in table.sort("offer_id").iter_rows(named=True))


def _offer_from(row: Mapping[str, object], currency: str) -> Offer:
    where = f"offers[{row['offer_id']}]"
    kind = kind_named(str(row["kind"]), f"{where}.kind")
    return Offer(
        offer_id=str(row["offer_id"]),
        audience=audience_named(str(row["audience"] or "everyone"), f"{where}.audience"),
        discount=kind.from_row(row, where),
        currency=str(row["currency"] or currency),
        name=cast("str | None", row["name"]),
        name_zh=cast("str | None", row["name_zh"]),
        min_spend_cents=count_of(row["min_spend_cents"], f"{where}.min_spend_cents") or 0,
        valid_from=cast("datetime | None", row["valid_from"]),
        valid_until=cast("datetime | None", row["valid_until"]),
        zones=_words(row["zones"]),
        vendor_ids=_words(row["vendor_ids"]),
        max_per_customer=count_of(row["max_per_customer"], f"{where}.max_per_customer"),
    )


def _words(value: object) -> frozenset[str] | None:
    words = frozenset(word.strip() for word in str(value or "").split("|") if word.strip())
    return words or None
