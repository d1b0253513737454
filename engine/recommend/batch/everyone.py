"""The best dishes of many customers at once: for campaigns, and as lists to fall back on.

Only filters that hold at any moment apply: the dish is available, its vendor takes orders and delivers to the zone of
the customer's last order (of one without an order: their home zone), and where nobody orders a dish twice it is new to
them. Opening hours, carts, diets and what the customer called not interesting belong to the moment a list is shown.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt

from engine.errors import NotFound
from engine.models.arrays import FloatArray, IntArray, Rows
from engine.models.base import HasFactors
from engine.models.baskets import Baskets, user_items
from engine.models.kernels.nearest import Nearest
from engine.models.query import Place
from engine.recommend.catalog.catalog import Catalog
from engine.recommend.published.extras import RegisteredCustomers
from engine.recommend.published.model import PublishedModel
from engine.recommend.scoring.allowed import NO_DISH, Allowed

# Menus arranged for the factors and kept; beyond that they are arranged anew, which takes a millisecond each.
KEPT_BYTES = 256 * 1024**2
# How many customers of one zone are one task of a thread.
TASK = 512


@dataclass(frozen=True, slots=True)
class Lists:
    """`columns` (customers, top) int32, best first, -1 where there is no more; `scores` alike, float32, falling."""

    columns: IntArray
    scores: FloatArray


@dataclass(frozen=True, slots=True)
class ZoneMasks:
    """What may be shown by zone number, whatever the moment; zone -1 is an unknown one, which narrows nothing.

    Zones with equal menus share one.
    """

    published: PublishedModel
    catalog: Catalog
    _of_zone: dict[int, bytes] = field(default_factory=dict, repr=False)
    _masks: dict[bytes, npt.NDArray[np.bool_]] = field(default_factory=dict, repr=False)
    _arranged: dict[bytes, Nearest] = field(default_factory=dict, repr=False)

    def mask(self, zone: int) -> npt.NDArray[np.bool_]:
        """Return (items,), not to be written to: available, of a vendor that takes orders and delivers there."""
        return self._masks[self._menu(zone)]

    def arranged(self, zone: int, factors: HasFactors) -> Nearest:
        """Return the zone's menu, arranged by the factors of its dishes."""
        menu = self._menu(zone)
        if menu not in self._arranged:
            if sum(each.n_bytes for each in self._arranged.values()) > KEPT_BYTES:
                self._arranged.clear()
            self._arranged[menu] = Nearest.of(factors.item_factors, np.flatnonzero(self._masks[menu]).astype(np.int32))
        return self._arranged[menu]

    def _menu(self, zone: int) -> bytes:
        if zone not in self._of_zone:
            catalog = self.catalog
            name = self.published.zones.name(zone) if zone >= 0 else None
            # The last place answers for dishes without a vendor (-1).
            serving = np.array([v is None or (v.available and v.delivers(name)) for v in catalog.vendors] + [True])
            mask = catalog.available & serving[catalog.vendor_of]
            mask.setflags(write=False)
            menu = self._of_zone[zone] = np.packbits(mask).tobytes()
            self._masks.setdefault(menu, mask)
        return self._of_zone[zone]


def best_by_models(published: PublishedModel, menus: ZoneMasks, rows: range, *, top: int, at_s: int) -> Lists:
    """Return what the service would rank highest for the customers `rows`, asked where each ordered last.

    `at_s` is the instant they ask at, seconds since 1970. Orders since the artifact was trained are not looked at.
    """
    found = Lists(np.full((len(rows), top), -1, np.int32), np.full((len(rows), top), -np.inf, np.float32))
    for at, row in enumerate(rows):
        language = int(published.languages[row])
        query = published.query(published.customers.name(row), (), now=at_s, place=Place(), language=language)
        allowed = Allowed(menus.mask(query.place.zone), None, NO_DISH).asked_by(query, repeats=published.repeats)
        pool = published.scorer.pool(query, allowed, size=top)
        found.columns[at, : len(pool.columns)] = pool.columns
        found.scores[at, : len(pool.columns)] = pool.scores
    return found


def best_for_newcomers(
    published: PublishedModel, cards: RegisteredCustomers, menus: ZoneMasks, rows: range, *, top: int, at_s: int
) -> Lists:
    """Return what the service would rank highest at home for `rows` of the registered customers who have not ordered.

    All that is known of them are language, home zone and who brought them: one list serves all who are alike in these.
    """
    chosen = slice(rows.start, rows.stop)
    # Who brought them matters to one model alone.
    told = any(model.reads_referrers for model in published.models)
    referrer = cards.referrer[chosen] if told else np.full(len(rows), -1, np.int32)
    alike, of = np.unique(np.stack([cards.language[chosen], cards.zone[chosen], referrer]), axis=1, return_inverse=True)
    best = Lists(np.full((alike.shape[1], top), -1, np.int32), np.full((alike.shape[1], top), -np.inf, np.float32))
    for at, (language, zone, brought_by) in enumerate(alike.T.tolist()):
        query = published.query(None, (), now=at_s, place=Place(zone=zone), language=language, referrer=brought_by)
        pool = published.scorer.pool(query, Allowed(menus.mask(zone), None, NO_DISH), size=top)
        best.columns[at, : len(pool.columns)] = pool.columns
        best.scores[at, : len(pool.columns)] = pool.scores
    return Lists(best.columns[of.ravel()], best.scores[of.ravel()])


def best_by_factors(published: PublishedModel, menus: ZoneMasks, rows: range, *, top: int, threads: int) -> Lists:
    """Return the dishes whose factors suit the customers `rows` best, their own dishes among them where people repeat.

    A customer without a basket gets no list. Equal bits with any number of threads; BLAS must be limited to one.
    Raises NotFound when the artifact holds no factors.
    """
    factors = next((each for each in (model.factors_of() for model in published.models) if each is not None), None)
    if factors is None:
        raise NotFound(
            "this version was trained without factors (als); ask for --model served", where=published.version
        )
    own = customers_of(published.baskets, rows)
    counts = Rows.of(user_items(own))
    zones = last_zones(own)
    found = Lists(np.full((len(rows), top), -1, np.int32), np.full((len(rows), top), -np.inf, np.float32))

    def task(chosen: npt.NDArray[np.int64], menu: Nearest) -> None:
        sizes = counts.start[chosen + 1] - counts.start[chosen]
        start = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
        lines = np.arange(start[-1]) + np.repeat(counts.start[chosen] - start[:-1], sizes)
        theirs = replace(counts, start=start, columns=counts.columns[lines], values=counts.values[lines])
        without = None if published.repeats else (theirs.start, theirs.columns)
        found.columns[chosen], found.scores[chosen] = menu.best(factors.fold_in_all(theirs), top, without=without)

    tasks = []
    for zone in np.unique(zones).tolist():
        there = np.flatnonzero((zones == zone) & (np.diff(counts.start) > 0))
        tasks += [(there[at : at + TASK], menus.arranged(zone, factors)) for at in range(0, len(there), TASK)]
    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(lambda each: task(*each), tasks))
    return found


def customers_of(baskets: Baskets, rows: range) -> Baskets:
    """Return the history of the customers `rows` alone, numbered from 0; nothing but the starts is copied."""
    start = baskets.customer_start[rows.start : rows.stop + 1]
    lines = baskets.basket_start[start[0] : start[-1] + 1]
    placed, held = slice(start[0], start[-1]), slice(lines[0], lines[-1])
    return Baskets(
        customer_start=start - start[0],
        basket_start=lines - lines[0],
        items=baskets.items[held],
        quantity=baskets.quantity[held],
        at=baskets.at[placed],
        zone=baskets.zone[placed],
        vendor=baskets.vendor[placed],
        latitude=baskets.latitude[placed],
        longitude=baskets.longitude[placed],
        n_items=baskets.n_items,
    )


def last_zones(baskets: Baskets) -> IntArray:
    """Return int32 (customers): the zone of each one's last basket, -1 where it or the basket is unknown."""
    zones = np.full(baskets.n_customers, -1, dtype=np.int32)
    some = np.diff(baskets.customer_start) > 0
    zones[some] = baskets.zone[baskets.customer_start[1:][some] - 1]
    return zones
