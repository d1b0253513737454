"""What the demo does, step by step, each through the same doors an operator or an app would use.

Every step returns its figures as JSON-ready names and values; nothing here prints.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import polars as pl
from sqlalchemy import Engine

from cli.demo.server import Client
from cli.output import actor
from demo.city import DAYS, write_city
from demo.world import TIMEZONE
from engine.database.keys import create_key
from engine.database.session import transaction
from engine.errors import NoHistory
from engine.files.encryption import seal_of
from engine.history.opening import open_history
from engine.history.tables import read_table
from engine.imports.intake import import_files
from engine.imports.mapping import ImportKind
from engine.settings import Settings
from training import run as training

Figures = dict[str, Any]
FILES: dict[ImportKind, tuple[str, ...]] = {
    "customers": ("customers",),
    "vendors": ("vendors",),
    "items": ("items",),
    "offers": ("offers",),
    "orders": ("orders", "lines"),
}
DEMO_SCOPES = ("recommend", "events", "customers", "metrics", "docs")
SHOWN = 5
LOOKED_THROUGH = 100


@dataclass(frozen=True, slots=True)
class Guest:
    """Someone the demo asks for; `zone` is where they order, and `fee_cents` what delivery usually costs there."""

    part: str
    customer_id: str
    name: str | None
    language: str
    zone: str
    orders: int
    fee_cents: int


def build_city(settings: Settings, customers: int, seed: int, now: datetime) -> Figures:
    """Write the city's files into the home; history ends at this hour, so that dormancy counts from today."""
    until = now.replace(minute=0, second=0, microsecond=0)
    written = write_city(settings.home / "city", customers, seed=seed, until=until)
    history = {"history_from": (until - timedelta(days=DAYS)).isoformat(), "history_until": until.isoformat()}
    files = {name: [str(path) for path in paths] for name, paths in written.files.items()}
    return {"seed": seed, **history, "rows": written.rows, "files": files}


def import_city(settings: Settings, city: Figures, now: datetime) -> Figures:
    """Import the files as `regulars import` does; figures by kind."""
    done: Figures = {}
    for kind, names in FILES.items():
        files = [Path(path) for name in names for path in city["files"][name]]
        summary = import_files(settings, kind, files, None, now=now)
        done[kind] = {
            name: getattr(summary, name) for name in ("read", "accepted", "quarantined", "duplicates", "updated")
        }
    return done


def train(settings: Settings, seed: int, now: datetime, report: Callable[[str], None]) -> Figures:
    """Train, judge and publish as `regulars train` does."""
    done = training.train(settings, now=now, seed=seed, report=report)
    kept = ("weights", "data", "evaluation")
    return {"version": done.version, "published": done.published, **{name: done.manifest[name] for name in kept}}


def make_key(engine: Engine, now: datetime) -> tuple[str, str]:
    """Create an API key as `regulars keys create` does; returns (id, key)."""
    with transaction(engine) as session:
        return create_key(session, now, name="demo", scopes=DEMO_SCOPES, actor=actor())


def choose_guests(settings: Settings) -> list[Guest]:
    """Return a loyal English reader, a Chinese reader who orders often, and somebody nobody knows.

    Raises NoHistory when the city is too small to have the two.
    """
    orders = open_history(settings).orders().filter(pl.col("status") == "delivered")
    counts = orders.group_by("customer_id").agg(pl.len(), pl.col("zone", "ordered_at").sort_by("ordered_at").last())
    people = read_table(settings, "customers").select("customer_id", "name", "language")
    known = counts.collect().join(people, on="customer_id").drop_nulls()
    recent = pl.col("ordered_at") > pl.col("ordered_at").max() - timedelta(days=21)
    known = known.filter(recent).sort("len", "customer_id", descending=[True, False])
    fees = dict(orders.group_by("zone").agg(pl.col("delivery_fee_cents").median()).collect().iter_rows())
    seal = seal_of(settings)
    guests = []
    for part, language in (("loyal", "en"), ("regular", "zh")):
        found = known.filter(pl.col("language") == language).head(1)
        if found.is_empty():
            raise NoHistory(f"no customer who reads {language!r} ordered lately; choose more --customers")
        row = found.row(0, named=True)
        name = seal.unseal(row["name"])
        fee = round(fees[row["zone"]] or 0)
        guests.append(Guest(part, row["customer_id"], name, language, row["zone"], row["len"], fee))
    return [*guests, Guest("stranger", "visitor-from-elsewhere", None, "en", guests[0].zone, 0, guests[0].fee_cents)]


def dinner_time(now: datetime) -> datetime:
    """Return the next 18:30 of the city: whatever the hour the demo runs at, kitchens are open then."""
    local = now.astimezone(ZoneInfo(TIMEZONE))
    dinner = local.replace(hour=18, minute=30, second=0, microsecond=0)
    return dinner if dinner > local else dinner + timedelta(days=1)


def ask(client: Client, guest: Guest, items: pl.DataFrame, at: datetime) -> Figures:
    """Ask for dishes and coupons as the app would; who has no usual order has the first two dishes in the cart."""
    dishes = ask_dishes(client, guest, at, SHOWN)
    basket = None
    if not guest.orders:
        cart = [dish["item_id"] for dish in dishes["items"][:2]]
        basket = int(items.filter(pl.col("item_id").is_in(cart))["price_cents"].sum())
    body = {
        "customer_id": guest.customer_id,
        "limit": 3,
        "basket_cents": basket,
        "delivery_fee_cents": None if basket is None else guest.fee_cents,
        "context": {"at": at.isoformat(), "zone": guest.zone},
        "language": guest.language,
    }
    coupons = client.post("/v1/recommend/coupons", body)
    return {
        **asdict(guest),
        "at": at.isoformat(),
        "dishes": dishes["items"],
        "notes": dishes["notes"],
        "model_version": dishes["model_version"],
        "basket_cents": basket,
        "coupons": coupons["items"],
        "not_yet": coupons["not_yet"],
    }


def ask_dishes(client: Client, guest: Guest, at: datetime, limit: int) -> Figures:
    """Ask for dishes in the guest's zone and language."""
    context = {"at": at.isoformat(), "zone": guest.zone}
    body = {"customer_id": guest.customer_id, "limit": limit, "context": context, "language": guest.language}
    return client.post("/v1/recommend/dishes", body)


def order_once(client: Client, guest: Guest, items: pl.DataFrame, at: datetime, now: datetime) -> Figures:
    """Send one order of a dish that is not at the top of the guest's answer, and ask again at once."""
    before = ask_dishes(client, guest, at, LOOKED_THROUGH)["items"]
    # Something popular, yet not what is first anyway; the end of a list that is shorter than that.
    dish = before[min(SHOWN + 1, len(before) - 1)]
    price, vendor_id = items.filter(pl.col("item_id") == dish["item_id"]).select("price_cents", "vendor_id").row(0)
    order_id = f"demo-{now:%Y%m%dT%H%M%S}"
    properties = {
        "order_id": order_id,
        "items": [{"item_id": dish["item_id"], "quantity": 1, "unit_price_cents": price}],
        "zone": guest.zone,
        "vendor_id": vendor_id,
    }
    event = {
        "event_id": f"{order_id}-placed",
        "type": "order",
        "customer_id": guest.customer_id,
        "at": now.isoformat(),
        "properties": properties,
    }
    told = client.post("/v1/events", {"events": [event]})
    answer = ask_dishes(client, guest, at, LOOKED_THROUGH)
    after = answer["items"]
    return {
        "customer_id": guest.customer_id,
        "order_id": order_id,
        "accepted": told["accepted"],
        "dish": {"item_id": dish["item_id"], "name": dish["name"]},
        "rank_before": _rank(before, dish["item_id"]),
        "rank_after": _rank(after, dish["item_id"]),
        "before": before[:SHOWN],
        "after": after[:SHOWN],
        "new": len({each["item_id"] for each in after[:SHOWN]} - {each["item_id"] for each in before[:SHOWN]}),
        "notes_after": answer["notes"],
    }


def _rank(dishes: Sequence[Mapping[str, Any]], item_id: str) -> int | None:
    return next((i for i, each in enumerate(dishes, 1) if each["item_id"] == item_id), None)
