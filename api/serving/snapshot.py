"""What one answer is made from: the models, the catalogue aligned with their items, the offers, how lists are made."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

import polars as pl

from engine.artifact import Pause, no_pause
from engine.recommend.catalog.catalog import Catalog
from engine.recommend.home import DishRequest, recommend_dishes
from engine.recommend.options import Options
from engine.recommend.published.model import PublishedModel


@dataclass(frozen=True, slots=True)
class ServingSnapshot:
    """One consistent pair: the models and the catalogue aligned with their items, the offers and how lists are made."""

    published: PublishedModel
    catalog: Catalog
    offers: pl.DataFrame
    options: Options = Options()


def warm_up(snapshot: ServingSnapshot, pause: Pause = no_pause) -> None:
    """Answer for a stranger and for a regular, so that what is compiled or mapped late is so before anybody asks."""
    published = snapshot.published
    now = datetime.now(UTC)
    for customer_id in (None, *([published.customers.name(0)] if len(published.customers) else [])):
        asked = DishRequest(customer_id, 1, now, options=snapshot.options, request_id="warm-up")
        recommend_dishes(published, snapshot.catalog, asked, [])
        pause()
