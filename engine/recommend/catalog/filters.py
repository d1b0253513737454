"""Which dishes may be shown at all: one answer for every path, fallbacks included, and what each filter took away."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

import numpy as np
import numpy.typing as npt

from engine.events.event import Event
from engine.models.arrays import IntArray
from engine.recommend.catalog.catalog import Catalog, columns_of
from engine.recommend.published.model import PublishedModel
from engine.recommend.scoring.allowed import NO_DISH, Allowed, without

DISLIKED = "not_interested"


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What narrows a list, as columns: None means not asked, an empty array that nothing is left.

    `vendor` are the dishes of the vendor page asked from, `candidates` those the app named; `allergens` and `diets` are
    in the spelling of `engine.recommend.catalog.diets`; `ordered` are dishes ordered before, where nobody repeats.
    """

    at: datetime
    zone: str | None = None
    vendor: IntArray | None = None
    candidates: IntArray | None = None
    allergens: Sequence[str] = ()
    diets: Sequence[str] = ()
    excluded: IntArray = field(default_factory=lambda: NO_DISH)
    cart: IntArray = field(default_factory=lambda: NO_DISH)
    disliked: IntArray = field(default_factory=lambda: NO_DISH)
    ordered: IntArray = field(default_factory=lambda: NO_DISH)


def apply(catalog: Catalog, limits: Limits) -> Allowed:
    """Return what passes every one of `limits`."""
    only = None if limits.candidates is None else np.unique(limits.candidates)
    if limits.vendor is not None:
        only = limits.vendor if only is None else np.intersect1d(only, limits.vendor, assume_unique=True)
    mask = catalog.orderable(limits.zone, limits.at)
    if limits.allergens or limits.diets:
        mask = mask & catalog.labels.suits(limits.allergens, limits.diets)
    if len(limits.ordered):
        mask = without(mask, limits.ordered)
    blocked = [columns for columns in (limits.excluded, limits.cart, limits.disliked) if len(columns)]
    return Allowed(mask, only, np.concatenate(blocked) if blocked else NO_DISH)


def disliked_dishes(published: PublishedModel, fresh: Sequence[Event]) -> IntArray:
    """Return the columns of what the customer said is not interesting to them."""
    named = [str(event.properties.get("item_id")) for event in fresh if event.type == DISLIKED]
    return columns_of(published.items, named) if named else NO_DISH


def dishes_of(published: PublishedModel, catalog: Catalog, vendor_id: str) -> IntArray:
    """Return the ascending columns of the vendor; none for an unknown vendor.

    Its dishes are those listed as its own; where the items table names no vendor, those ever ordered there.
    """
    vendor = published.vendors.row(vendor_id)
    ordered = published.items_of_vendor(vendor) if vendor >= 0 else NO_DISH
    ordered = ordered[catalog.vendor_of[ordered] < 0]
    number = catalog.vendor_number.get(vendor_id)
    if number is None:
        return np.unique(ordered).astype(np.int32)
    return np.union1d(ordered, np.flatnonzero(catalog.vendor_of == number)).astype(np.int32)


def removed(catalog: Catalog, limits: Limits) -> dict[str, int]:
    """Return how many dishes each filter took away, in the order they are applied, and how many are `left`.

    `menu` counts all dishes. A dish that several filters forbid is counted at the first of them; filters that were not
    asked for are left out.
    """
    left = np.ones(len(catalog.available), dtype=bool)
    counts = {"menu": len(left)}
    here = catalog.serving(limits.zone, limits.at)[catalog.vendor_of]
    steps: list[tuple[str, npt.NDArray[np.bool_]]] = []
    if limits.vendor is not None:
        steps.append(("vendor", _marked(left, limits.vendor)))
    if limits.candidates is not None:
        steps.append(("candidates", _marked(left, limits.candidates)))
    steps.append(("unavailable", catalog.available))
    if limits.zone is not None:
        steps.append(("out_of_zone", ~_beyond(catalog, limits.zone)[catalog.vendor_of]))
    steps.append(("closed", here))
    if limits.allergens:
        steps.append(("allergens", catalog.labels.suits(limits.allergens, ())))
    if limits.diets:
        steps.append(("diets", catalog.labels.suits((), limits.diets)))
    for name, columns in (
        ("excluded", limits.excluded),
        ("cart", limits.cart),
        ("not_interested", limits.disliked),
        ("had_before", limits.ordered),
    ):
        if len(columns):
            steps.append((name, ~_marked(left, columns)))
    for name, passes in steps:
        counts[name] = int((left & ~passes).sum())
        left = left & passes
    counts["left"] = int(left.sum())
    return counts


def _marked(like: npt.NDArray[np.bool_], columns: IntArray) -> npt.NDArray[np.bool_]:
    marked = np.zeros(len(like), dtype=bool)
    marked[columns] = True
    return marked


def _beyond(catalog: Catalog, zone: str) -> npt.NDArray[np.bool_]:
    """Return (vendors + 1,): those that name their zones and not this one."""
    named = [v is not None and v.zones is not None and zone not in v.zones for v in catalog.vendors]
    return np.array([*named, False])
