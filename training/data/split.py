"""What is held out to judge by: the next basket after an instant, or each customer's last."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import overload

import numpy as np
import numpy.typing as npt

from engine.models.base import Recommender
from engine.models.baskets import Baskets
from engine.models.query import Place, Query
from training.data.matrices import TrainingSet, keep_baskets, queries_for
from training.kernels.hits import among

CHUNK = 256


@dataclass(frozen=True, slots=True)
class Target:
    """One judged basket: the query as of then, and what was ordered.

    `truth` holds distinct item columns; `unseen` counts ordered items no model can know (they count as missed).
    """

    query: Query
    truth: npt.NDArray[np.int32]
    unseen: int = 0

    def ordered(self, columns: npt.NDArray[np.int32]) -> npt.NDArray[np.bool_]:
        """Return for each item column whether it was ordered."""
        return among(columns, self.truth)


@dataclass(frozen=True, slots=True)
class Targets(Sequence[Target]):
    """The baskets `chosen` as targets, each made on access: a large home holds out more than is looked at.

    `past` is what was known before, `customer` (baskets) whose each basket is.
    """

    baskets: Baskets
    past: Baskets
    customer: npt.NDArray[np.int64]
    chosen: npt.NDArray[np.int64]

    def __len__(self) -> int:
        """How many baskets are held out."""
        return len(self.chosen)

    def __iter__(self) -> Iterator[Target]:
        """Make them all at once."""
        return iter(self[:])

    @overload
    def __getitem__(self, index: int) -> Target: ...
    @overload
    def __getitem__(self, index: slice) -> list[Target]: ...
    def __getitem__(self, index: int | slice) -> Target | list[Target]:
        """Make the target at one place, or those at several."""
        if isinstance(index, slice):
            return self.at(np.arange(len(self))[index])
        return self.at(np.array([range(len(self))[index]]))[0]

    def at(self, places: npt.NDArray[np.integer]) -> list[Target]:
        """Make the targets at `places`."""
        baskets, chosen = self.baskets, self.chosen[places]
        where = [
            # The customer chooses the vendor later: a home page does not know it.
            Place(zone, -1, latitude, longitude)
            for zone, latitude, longitude in zip(
                baskets.zone[chosen].tolist(),
                baskets.latitude[chosen].tolist(),
                baskets.longitude[chosen].tolist(),
                strict=True,
            )
        ]
        queries = queries_for(self.past, self.customer[chosen], baskets.at[chosen], where)
        return [
            Target(query, baskets.items[baskets.basket_start[b] : baskets.basket_start[b + 1]])
            for query, b in zip(queries, chosen.tolist(), strict=True)
        ]


@dataclass(frozen=True, slots=True)
class Split:
    """The past to learn from, what came next, and the instant between (seconds; by basket: the newest instant)."""

    past: Baskets
    targets: Sequence[Target]
    at: int


@dataclass(frozen=True, slots=True)
class Fold:
    """What blend and ranker learn from: models fitted on the split's past alone, and its targets."""

    models: Sequence[Recommender]
    split: Split


def split_by_time(data: TrainingSet, at: int) -> Split:
    """Hold out everything from `at` on; the target of a customer is their first basket from then on."""
    baskets = data.baskets
    past = keep_baskets(baskets, baskets.at < at)
    customer = np.repeat(np.arange(baskets.n_customers), np.diff(baskets.customer_start))
    later = np.flatnonzero(baskets.at >= at)
    _, first = np.unique(customer[later], return_index=True)
    return Split(past, Targets(baskets, past, customer, later[first]), at)


def split_last_basket(data: TrainingSet, *, fold: int = 0, of: int = 1) -> Split:
    """Hold out the last basket of customers who have two; for sources without a shared clock.

    Every `of`-th of them in a fixed draw, from the one numbered `fold` on.
    """
    baskets = data.baskets
    counts = np.diff(baskets.customer_start)
    drawn = np.random.default_rng(94).permutation(np.flatnonzero(counts >= 2))
    last = baskets.customer_start[1:][np.sort(drawn[fold::of])] - 1
    keep = np.ones(baskets.n_baskets, dtype=bool)
    keep[last] = False
    past = keep_baskets(baskets, keep)
    customer = np.repeat(np.arange(baskets.n_customers), counts)
    return Split(past, Targets(baskets, past, customer, last), data.last_at)


def chunks(n: int) -> list[range]:
    """Return the places of `n` targets in pieces that threads may look at side by side."""
    return [range(first, min(first + CHUNK, n)) for first in range(0, n, CHUNK)]


def sample(targets: Sequence[Target], most: int, rng: np.random.Generator) -> list[Target]:
    """Return at most `most` targets, drawn without replacement, in their own order."""
    if len(targets) <= most:
        return list(targets)
    drawn = np.sort(rng.choice(len(targets), most, replace=False))
    return targets.at(drawn) if isinstance(targets, Targets) else [targets[i] for i in drawn]
