"""A small trained town with vendors, labels, times of day and dishes nobody ordered yet."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import polars as pl
import pytest

from engine.artifact import load
from engine.columns import CUSTOMERS, ITEMS, VENDORS
from engine.events.event import Event
from engine.history.opening import open_history
from engine.history.tables import read_table, upsert_table
from engine.recommend.catalog.catalog import Catalog, build_catalog
from engine.recommend.home import DishRequest, recommend_dishes
from engine.recommend.options import ListOptions, Options
from engine.recommend.published.model import PublishedModel, open_published
from engine.recommend.response import DishAnswer
from engine.settings import Settings
from tests.baskets import START, random_town, tables
from training import run

# A Sunday noon, a day after the town's last order.
NOW = datetime(2025, 4, 6, 12, tzinfo=UTC)
OLD = [f"d{i:02d}" for i in range(16)]
NEW = ["n0", "n1", "n2", "n3"]
DISHES = [*OLD, *NEW]
VENDOR = {dish: f"v{i % 4}" for i, dish in enumerate(DISHES)}
ALLERGENS = {dish: ("peanuts|milk", "none", None, "gluten")[i % 4] for i, dish in enumerate(DISHES)}
DIETS = {dish: ("vegetarian", "vegetarian|vegan", None)[i % 3] for i, dish in enumerate(DISHES)}
WORDS = ("beef noodles", "beef soup", "apple pie", "green tea", "pork rice")
CARDS = [{"customer_id": "rita", "timezone": "Asia/Shanghai"}, {"customer_id": "nina", "zone": "z1", "language": "zh"}]
# v1 delivers to z1 alone, v2 is open from ten to two; d00 is sold out.
VENDOR_ROWS: list[dict[str, Any]] = [
    {"vendor_id": "v0", "latitude": 31.20, "longitude": 121.40},
    {"vendor_id": "v1", "zones": "z1", "latitude": 31.21, "longitude": 121.41},
    {"vendor_id": "v2", "opens": "10:00", "closes": "14:00"},
    {"vendor_id": "v3", "name": "Third Kitchen", "name_zh": "三号厨房"},
]


def orderable(dish: str, zone: str | None, hour: int) -> bool:
    """Say by hand what the hard filters on place, hour and stock must say."""
    vendor = VENDOR[dish]
    if dish == "d00" or (vendor == "v1" and zone not in {None, "z1"}):
        return False
    return vendor != "v2" or 10 <= hour < 14


@dataclass(frozen=True, repr=False)
class Town:
    """A served artifact with its catalogue, and how to ask it."""

    published: PublishedModel
    catalog: Catalog
    settings: Settings

    def __repr__(self) -> str:
        return "town"

    def _repr_pretty_(self, printer: Any, _cycle: object) -> None:
        """Say it shortly where hypothesis prints an example."""
        printer.text("town")

    def request(self, customer: str | None = "c001", lists: dict[str, Any] | None = None, **asked: Any) -> DishRequest:
        options = Options(lists=ListOptions(**(lists or {})))
        given: dict[str, Any] = {"limit": 5, "at": NOW, "options": options} | asked
        return DishRequest(customer, **given)

    def of(self, customer: str | None, **asked: Any) -> tuple[PublishedModel, Catalog, DishRequest]:
        return self.published, self.catalog, self.request(customer, **asked)

    def ask(
        self,
        customer: str | None = "c001",
        fresh: tuple[Any, ...] | list[Event] = (),
        *,
        lists: dict[str, Any] | None = None,
        **asked: Any,
    ) -> DishAnswer:
        return recommend_dishes(self.published, self.catalog, self.request(customer, lists, **asked), fresh)

    def shown(self, *given: Any, **asked: Any) -> list[str]:
        return [dish.item_id for dish in self.ask(*given, **asked).dishes]

    def trained_through(self, seq: int) -> Town:
        return replace(self, published=replace(self.published, inbox_through=seq))


def told(
    kind: str,
    seq: int = 1,
    customer: str = "c001",
    *,
    hours_ago: float = 0,
    **properties: Any,
) -> Event:
    """Return an event of `hours_ago` before NOW."""
    return Event(f"e{seq}", kind, customer, NOW - timedelta(hours=hours_ago), properties, seq)


def bought(dish: str, seq: int = 1, customer: str = "c001", *, hours_ago: float = 0) -> Event:
    return told("order", seq, customer, hours_ago=hours_ago, order_id=f"o{seq}", items=[{"item_id": dish}])


def rows(schema: dict[str, Any], known: Sequence[Mapping[str, Any]]) -> pl.DataFrame:
    return pl.DataFrame([{name: row.get(name) for name in schema} for row in known], schema=schema, orient="row")


@pytest.fixture(scope="session")
def town(tmp_path_factory: pytest.TempPathFactory) -> Town:
    settings = Settings.from_environment({}, home=tmp_path_factory.mktemp("town"))
    history = random_town(90, 16, seed=11)
    # Rita has lunch at the same place every Friday; START is a Wednesday noon.
    history["rita"] = [(2 + 7 * week, ["d05", "d06"] if week % 2 else ["d05"]) for week in range(12)]
    # Vera only orders what later will be sold out.
    history["vera"] = [(1, ["d00"]), (8, ["d00"])]
    orders, lines = tables(history, vendors=VENDOR, zones={c: f"z{i % 2}" for i, c in enumerate(history)})
    assert (START.weekday(), NOW.weekday()) == (2, 6)
    open_history(settings).append(orders, lines)
    items = [
        {
            "item_id": d, "name": f"{WORDS[i % 5]} {d}", "name_zh": f"菜{d}", "vendor_id": VENDOR[d],
            "allergens": ALLERGENS[d], "diets": DIETS[d], "category": f"k{i % 3}", "cuisine": f"q{i % 2}",
            "price_cents": 1000 + 100 * i, "available": d != "d00",
        }
        for i, d in enumerate(DISHES)
    ]  # fmt: skip
    upsert_table(settings, "items", rows(ITEMS, items))
    upsert_table(settings, "vendors", rows(VENDORS, VENDOR_ROWS))
    upsert_table(settings, "customers", rows(CUSTOMERS, CARDS))
    published = open_published(load(settings.artifacts_folder, run.train(settings, now=NOW).version))
    catalog = build_catalog(
        published.items, read_table(settings, "items"), read_table(settings, "vendors"), timezone="UTC"
    )
    return Town(published, catalog, settings)
