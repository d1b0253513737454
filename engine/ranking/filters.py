"""Which dishes may be shown at all: one answer for every path, fallbacks included."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np
import numpy.typing as npt

from engine.events import Event
from engine.models.base import IntArray
from engine.ranking.catalog import Catalog, columns_of
from engine.ranking.served import Served

DISLIKED = "not_interested"


@dataclass(frozen=True, slots=True)
class Allowed:
    """The dishes that pass every hard filter.

    `mask` (items) bool is shared between requests and never written to; of what it lets through only the ascending
    columns `only` count (None: all), without the columns `blocked`.
    """

    mask: npt.NDArray[np.bool_]
    only: IntArray | None
    blocked: IntArray

    def as_mask(self) -> npt.NDArray[np.bool_]:
        """Return (items,) bool, a copy: what may be shown."""
        mask = self.mask.copy()
        if self.only is not None:
            asked = np.zeros(len(mask), dtype=bool)
            asked[self.only] = True
            mask &= asked
        mask[self.blocked] = False
        return mask


def allowed_dishes(
    served: Served,
    catalog: Catalog,
    fresh: Sequence[Event],
    *,
    at: datetime,
    zone: str | None,
    vendor_id: str | None,
    candidates: Sequence[str] | None,
    out: Sequence[str],
) -> Allowed:
    """Return what may be shown at `at` in `zone`: orderable there and then, of the vendor and candidates asked for.

    `zone`, `vendor_id` and `candidates` None mean not asked; `out` are ids never to show (excluded, or in the cart).
    What she said is not interesting to her is out too.
    """
    only: IntArray | None = None
    if vendor_id is not None:
        only = dishes_of(served, catalog, vendor_id)
    if candidates is not None:
        asked = np.unique(columns_of(served.items, candidates))
        only = asked if only is None else np.intersect1d(only, asked, assume_unique=True)
    disliked = [str(event.properties.get("item_id")) for event in fresh if event.type == DISLIKED]
    return Allowed(catalog.orderable(zone, at), only, columns_of(served.items, [*out, *disliked]))


def dishes_of(served: Served, catalog: Catalog, vendor_id: str) -> IntArray:
    """Return the ascending columns the vendor lists, or that were ever ordered there; none for an unknown vendor."""
    vendor = served.vendors.row(vendor_id)
    ordered = served.items_of_vendor(vendor) if vendor >= 0 else np.empty(0, np.int32)
    if vendor_id not in catalog.vendor_ids:
        return np.unique(ordered).astype(np.int32)
    listed = np.flatnonzero(catalog.vendor_of == catalog.vendor_ids.index(vendor_id))
    return np.union1d(ordered, listed).astype(np.int32)
