"""One customer at a glance: figures up to now, groups of the table built last, and what came in latest."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import polars as pl
from sqlalchemy.orm import Session

from engine.columns import SEALED
from engine.customers.config import read_customer_config
from engine.customers.consents import ANY_CHANNEL, latest_consents
from engine.customers.figures import customer_figures
from engine.customers.profile import customer_profile
from engine.errors import NotFound
from engine.events.event import Event
from engine.events.inbox import events_of
from engine.history.compaction import orders_of_customer
from engine.history.tables import read_table
from engine.settings import Settings

LATEST_ORDERS = 20
LATEST_EVENTS = 50
FAVOURITES = 5


@dataclass(frozen=True, slots=True)
class CustomerOverview:
    """One customer as of now; `profile`, `why` and `as_of` are None where the customer table does not hold them.

    `orders` (schema ORDERS) are all there are, those of the inbox included, newest first. `favourites` are pairs of
    a dish and the number of orders it was in, most first. `consent` is None where nothing is known. `reachable` says
    which contact details there are, never what they hold.
    """

    orders: pl.DataFrame
    figures: Mapping[str, object]
    profile: Mapping[str, object] | None
    why: Mapping[str, object] | None
    as_of: str | None
    favourites: list[tuple[str, int]]
    latest_orders: Sequence[Mapping[str, object]]
    latest_events: list[Event]
    consent: bool | None
    reachable: dict[str, bool]


def customer_overview(
    settings: Settings, session: Session, customer_id: str, *, now: datetime
) -> CustomerOverview | None:
    """Return what is known of a customer; None where no order, registration or event names them."""
    own = pl.col("customer_id") == customer_id
    registered = read_table(settings, "customers").filter(own)
    orders, lines = orders_of_customer(session, settings, customer_id)
    orders = orders.sort("ordered_at", descending=True)
    events = events_of(session, customer_id, limit=LATEST_EVENTS)
    stated = latest_consents(session, channel=ANY_CHANNEL, customer_ids=[customer_id])
    if registered.is_empty() and orders.is_empty() and not events:
        return None
    profile, why, as_of = _groups(settings, customer_id)
    figures = customer_figures(orders.lazy(), registered, as_of=now)
    delivered = lines.filter(pl.col("status") == "delivered").select("order_id", "item_id")
    contact = registered.select(*SEALED).row(0, named=True) if registered.height else dict.fromkeys(SEALED)
    row = figures.drop("customer_id").row(0, named=True) if figures.height else {}
    return CustomerOverview(
        orders=orders,
        figures=row,
        profile=profile,
        why=why,
        as_of=as_of,
        favourites=most_ordered(delivered),
        latest_orders=orders.head(LATEST_ORDERS).drop("customer_id", "basket_no").to_dicts(),
        latest_events=events,
        consent=stated.get(customer_id, row.get("marketing_consent")),
        reachable={name: contact[name] is not None for name in SEALED if name != "name"},
    )


def most_ordered(lines: pl.DataFrame) -> list[tuple[str, int]]:
    """Return the FAVOURITES dishes in most orders, most first, ties by id; `lines` has order_id and item_id."""
    counts = Counter(item for _, item in lines.unique().iter_rows())
    return sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))[:FAVOURITES]


def _groups(
    settings: Settings, customer_id: str
) -> tuple[Mapping[str, object] | None, Mapping[str, object] | None, str | None]:
    """Return the row of the customer table built last, why it is in each group, and as of when."""
    try:
        found = customer_profile(settings, customer_id, read_customer_config(None, home=settings.home), last_orders=0)
    except NotFound:
        return None, None, None
    return found["figures"], found["why"], found["as_of"]
