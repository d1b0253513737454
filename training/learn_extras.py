"""What an artifact holds beside the blended models, learned from the whole history: nothing here is judged."""

from __future__ import annotations

import numpy as np
import polars as pl

from engine.columns import LANGUAGES
from engine.ids import IdMap
from engine.models.content import Content
from engine.models.together import Together
from engine.ranking.extras import Cards, Clocks, Extras, VendorShares
from engine.settings import Settings
from engine.tables import read_table
from training.matrices import TrainingSet


def learn_extras(settings: Settings, data: TrainingSet) -> Extras:
    """Learn what goes together, what dishes are like, which vendors are ordered from where, and whose clock it is."""
    return Extras(
        Together().fit(data.baskets),
        Content().fit(read_table(settings, "items"), data.items.to_list()),
        VendorShares.of(data.baskets, n_vendors=len(data.vendors), now=data.last_at) if len(data.vendors) else None,
        _clocks(settings, data),
        _cards(settings, data),
    )


def _cards(settings: Settings, data: TrainingSet) -> Cards:
    """Return what is known of registered customers who have not ordered."""
    table = read_table(settings, "customers").select("customer_id", "language", "zone")
    newcomers = table.join(pl.DataFrame({"customer_id": data.customers}), on="customer_id", how="anti")

    def numbered(name: str, known: list[str]) -> np.ndarray[tuple[int], np.dtype[np.int32]]:
        numbers = newcomers[name].replace_strict(known, range(len(known)), default=-1, return_dtype=pl.Int32)
        return numbers.to_numpy().astype(np.int32)

    return Cards(
        IdMap.of(newcomers["customer_id"].to_list()),
        numbered("language", list(LANGUAGES)).astype(np.int8),
        numbered("zone", data.zones.to_list()),
    )


def _clocks(settings: Settings, data: TrainingSet) -> Clocks:
    known = read_table(settings, "customers").select("customer_id", "timezone")
    own = pl.DataFrame({"customer_id": data.customers}).join(known, on="customer_id", how="left", maintain_order="left")
    names = own["timezone"].drop_nulls().unique().sort().to_list()
    numbers = own["timezone"].replace_strict(names, range(len(names)), default=-1, return_dtype=pl.Int16)
    return Clocks(tuple(names), numbers.to_numpy().astype(np.int16))
