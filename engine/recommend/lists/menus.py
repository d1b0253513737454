"""Who cooks what of the dishes that may be shown: by the items table, and where it names nobody, by past orders."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt

from engine.models.arrays import IntArray
from engine.recommend.catalog.catalog import Catalog
from engine.recommend.catalog.filters import dishes_of
from engine.recommend.published.model import PublishedModel
from engine.recommend.request import RankingContext


@dataclass(frozen=True, slots=True)
class VendorMenus:
    """Vendors that take orders here and now, with their dishes.

    `ids` names vendors by number, those of the catalogue first; `vendor` and `column` (pairs) int32 say who cooks what.
    """

    ids: Sequence[str]
    number: Mapping[str, int]
    vendor: IntArray
    column: IntArray

    @classmethod
    def of(cls, context: RankingContext, mask: npt.NDArray[np.bool_], *, only: str | None = None) -> Self:
        """Return who cooks the dishes that `mask` (items) lets through, or of them the vendor `only`.

        A dish the items table gives to nobody is cooked by whoever it was ever ordered from.
        """
        catalog, published = context.catalog, context.published
        ids, number = catalog.vendor_ids, catalog.vendor_number
        listed = np.flatnonzero(mask & (catalog.vendor_of >= 0)).astype(np.int32)
        vendor, column = catalog.vendor_of[listed], listed
        by, dishes = ordered_from(published, mask & (catalog.vendor_of < 0))
        if len(by):
            rows, place = np.unique(by, return_inverse=True)
            names = published.vendors.names(rows)
            ids = [*ids, *(name for name in names if name not in number)]
            number = {name: at for at, name in enumerate(ids)}
            found = np.array([number[name] for name in names], dtype=np.int32)[place]
            # The last place answers for vendors nobody described.
            serving = catalog.serving(context.limits.zone, context.limits.at)
            fine = serving[np.minimum(found, len(serving) - 1)]
            vendor, column = np.concatenate([vendor, found[fine]]), np.concatenate([column, dishes[fine]])
        if only is not None:
            own = vendor == number.get(only, -1)
            vendor, column = vendor[own], column[own]
        return cls(ids, number, vendor, column)

    def rows_of(self, columns: IntArray) -> dict[int, list[int]]:
        """Return, by vendor, the places in `columns` (distinct) of what it cooks, ascending."""
        place = np.full(max(int(self.column.max(initial=0)), int(columns.max(initial=0))) + 1, -1, dtype=np.int64)
        place[columns] = np.arange(len(columns))
        rows = place[self.column]
        found: dict[int, list[int]] = {}
        for at in np.lexsort((self.vendor, rows)).tolist():
            if rows[at] >= 0:
                found.setdefault(int(self.vendor[at]), []).append(int(rows[at]))
        return found


def ordered_from(published: PublishedModel, mask: npt.NDArray[np.bool_]) -> tuple[IntArray, IntArray]:
    """Return (vendor row, dish column) of every dish of `mask` (items) and whoever it was ever ordered from."""
    if not mask.any():
        return np.empty(0, np.int32), np.empty(0, np.int32)
    fine = mask[published.vendor_items]
    rows = np.repeat(np.arange(len(published.vendors), dtype=np.int32), np.diff(published.vendor_item_start))
    return rows[fine], published.vendor_items[fine]


def dishes_beside(published: PublishedModel, catalog: Catalog, cart: IntArray) -> IntArray | None:
    """Return the ascending columns of what the vendors of the cart's dishes cook; None where nobody knows a vendor."""
    known = catalog.vendor_of[cart]
    names = {catalog.vendor_ids[vendor] for vendor in known[known >= 0].tolist()}
    unlisted = np.zeros(len(catalog.vendor_of), dtype=bool)
    unlisted[cart[known < 0]] = True
    rows, _ = ordered_from(published, unlisted)
    names |= set(published.vendors.names(np.unique(rows)))
    if not names:
        return None
    return np.unique(np.concatenate([dishes_of(published, catalog, name) for name in sorted(names)])).astype(np.int32)
