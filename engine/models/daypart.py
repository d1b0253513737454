"""What is ordered at this time of day: by everybody here, and by the customer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from typing import ClassVar, Self
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt
import polars as pl

from engine.columns import DAY_S
from engine.history.dayparts import Dayparts
from engine.models.arrays import Arrays, FloatArray, IntArray, LongArray, read_only
from engine.models.base import Tunable
from engine.models.baskets import Baskets
from engine.models.board import Board
from engine.models.kernels.daypart import QUARTER_S, look_up, write_shares_at
from engine.models.kernels.popular import weigh_rows
from engine.models.kernels.sums import dense_sums
from engine.models.popular import Popular
from engine.models.query import Query
from engine.models.repeat import Repeat

HOUR_S = 3_600
PARTS, WEEKDAYS = len(Dayparts.names()), 7
THURSDAY = 3  # 1970-01-01 was one
# A table of quarters is looked up where there are at most so many of them for each instant.
QUARTERS_EACH = 50


@lru_cache(maxsize=16)
def part_of_hour(dayparts: Dayparts) -> LongArray:
    """Return (24,) the number of the daypart each local hour lies in."""
    found: LongArray = read_only(np.array(dayparts.part_of_hour(), np.int64))
    return found


@dataclass(slots=True)
class PopularByDaypart(Popular):
    """Popularity in the zone, times how much more often than at other times the item is ordered at this one.

    The factor of a daypart and of a weekday's daypart is (baskets with the item + `evidence` * factor before) over
    (baskets expected by its overall share + `evidence`): 1 where there is no evidence for more or less. Times of day
    are local to the time zone of most vendors. Where history has no clock it is `Popular`. The map is left to
    `Popular`.
    """

    name: ClassVar[str] = "popular_by_daypart"
    default_weight: ClassVar[float] = 0.05
    reason: ClassVar[str] = "popular_at_this_time"
    reason_nearby: ClassVar[str | None] = None
    tunables: ClassVar[Mapping[str, Tunable]] = {
        "half_life_days": Tunable("An order counts half after this.", 2, 1000, log=True),
        "evidence": Tunable("Baskets a time of day needs to count by itself, by dish.", 1, 500, log=True),
    }
    on_map: bool = False
    evidence: float = 10.0
    timezone: str = ""
    dayparts: Dayparts = Dayparts()
    factors: FloatArray = field(default_factory=lambda: np.ones((1, 0), np.float32))

    @classmethod
    def applies_to(cls, baskets: Baskets | None, *, repeats: bool) -> bool:
        """Return whether orders came with a time of day."""
        return baskets is None or bool(baskets.timezone)

    def fit(self, baskets: Baskets, *, now: int, rng: np.random.Generator) -> Self:
        """Count baskets by item, zone and time of day.

        Raises NoHistory if there is no basket.
        """
        Popular.fit(self, baskets, now=now, rng=rng)
        self.timezone, self.dayparts = baskets.timezone, baskets.dayparts
        self.factors = read_only(self._weighed_by_time(baskets, now))
        return self

    def score_candidates(self, query: Query, board: Board, part: int, rows: IntArray) -> None:
        """Add everywhere's share, then weigh all of it by the time of day."""
        Popular.score_candidates(self, query, board, part, rows)
        if self.timezone:
            weigh_rows(
                self.factors,
                slot(query.now, self.timezone, self.dayparts),
                rows,
                board.columns,
                board.model_scores,
                part,
            )

    def score(self, queries: Sequence[Query]) -> FloatArray:
        """Return (queries, items) float32: the expected share of baskets with the item at that time."""
        scores = Popular.score(self, queries)
        for i, query in enumerate(queries):
            if self.timezone:
                scores[i] *= self.factors[slot(query.now, self.timezone, self.dayparts)]
        return scores

    def arrays(self) -> dict[str, npt.NDArray[np.generic]]:
        """Return what Popular does, the factors and the time zone's name as UTF-8 bytes."""
        zone = np.frombuffer(self.timezone.encode(), dtype=np.uint8)
        return {**Popular.arrays(self), "factors": self.factors, "timezone": zone, **_parts_of(self.dayparts)}

    @classmethod
    def from_arrays(cls, arrays: Arrays) -> Self:
        """Rebuild from `arrays()`."""
        model = super(PopularByDaypart, cls).from_arrays(arrays)
        model.factors = arrays["factors"]  # type: ignore[assignment]
        model.timezone = arrays["timezone"].tobytes().decode()
        model.dayparts = _parts_in(arrays)
        return model

    def _weighed_by_time(self, baskets: Baskets, now: int) -> FloatArray:
        """Return float32 (dayparts of the week, items)."""
        if not baskets.timezone:
            return np.ones((1, baskets.n_items), np.float32)
        weight = self._weights(baskets, now)
        n_slots = PARTS * WEEKDAYS
        at_slot = slots(baskets.at, baskets.timezone, baskets.dayparts)
        ordered = dense_sums(at_slot, n_slots, weight, baskets.basket_start, baskets.items, baskets.n_items)
        ordered = ordered.reshape(WEEKDAYS, PARTS, -1)
        placed = np.bincount(at_slot, weights=weight, minlength=n_slots).reshape(WEEKDAYS, PARTS)
        share = ordered.sum(axis=(0, 1)) / placed.sum()
        by_part = (ordered.sum(axis=0) + self.evidence) / (placed.sum(axis=0)[:, None] * share + self.evidence)
        by_day = (ordered + self.evidence * by_part) / (placed[..., None] * share + self.evidence)
        return np.asarray(by_day.reshape(n_slots, -1), dtype=np.float32)


@dataclass(slots=True)
class RepeatByDaypart(Repeat):
    """Share of the customer's baskets that hold the item, those of other times of day counting `elsewhen` (over 0).

    Times of day are local to the time zone of most vendors. Where history has no clock it is `Repeat`.
    """

    name: ClassVar[str] = "repeat_by_daypart"
    default_weight: ClassVar[float] = 0.05
    tunables: ClassVar[Mapping[str, Tunable]] = {
        "decay": Tunable("What each older basket counts of the one after it.", 0.5, 1.0),
        "elsewhen": Tunable("What a basket of another time of day counts.", 0.01, 1.0),
    }
    elsewhen: float = 0.2
    timezone: str = ""
    dayparts: Dayparts = Dayparts()
    _part_of_hour: LongArray = field(init=False, repr=False, default_factory=lambda: part_of_hour(Dayparts()))

    @classmethod
    def applies_to(cls, baskets: Baskets | None, *, repeats: bool) -> bool:
        """Return whether orders came with a time of day."""
        return baskets is None or bool(baskets.timezone)

    def fit(self, baskets: Baskets, *, now: int, rng: np.random.Generator) -> Self:
        """Keep overall popularity and the time zone.

        Raises NoHistory if there is no basket.
        """
        Repeat.fit(self, baskets, now=now, rng=rng)
        self.timezone = baskets.timezone
        self._in_parts(baskets.dayparts)
        return self

    def propose(self, query: Query, board: Board, part: int, mask: npt.NDArray[np.bool_]) -> None:
        """Write a share in (0, 1] for every dish the customer ordered."""
        if not self.timezone:
            Repeat.propose(self, query, board, part, mask)
            return
        # Orders of before the clock was last changed seem an hour off; that is nothing to a daypart.
        write_shares_at(
            query.items,
            query.start,
            query.at,
            query.now,
            _offset(query.now // HOUR_S, self.timezone),
            self.decay,
            self.elsewhen,
            self._part_of_hour,
            self.popularity,
            board.row_of,
            board.model_scores,
            part,
        )

    def arrays(self) -> dict[str, npt.NDArray[np.generic]]:
        """Return the tie-breaking popularity, the settings and the time zone's name as UTF-8 bytes."""
        return {
            "popularity": self.popularity,
            "settings": np.array([self.decay, self.elsewhen], dtype=np.float64),
            "timezone": np.frombuffer(self.timezone.encode(), dtype=np.uint8),
            **_parts_of(self.dayparts),
        }

    @classmethod
    def from_arrays(cls, arrays: Arrays) -> Self:
        """Rebuild from `arrays()`."""
        decay, elsewhen = (float(value) for value in arrays["settings"])
        model = cls(decay=decay, elsewhen=elsewhen, popularity=arrays["popularity"])  # type: ignore[arg-type]
        model.timezone = arrays["timezone"].tobytes().decode()
        model._in_parts(_parts_in(arrays))
        return model

    def _in_parts(self, dayparts: Dayparts) -> None:
        self.dayparts, self._part_of_hour = dayparts, part_of_hour(dayparts)


def _parts_of(dayparts: Dayparts) -> dict[str, npt.NDArray[np.generic]]:
    """Return the hours at which dayparts begin as an array for the artifact; none for the usual ones."""
    return {} if dayparts == Dayparts() else {"dayparts": np.array(list(dayparts.starts().values()), np.int64)}


def _parts_in(arrays: Arrays) -> Dayparts:
    return Dayparts(*(int(begins) for begins in arrays["dayparts"])) if "dayparts" in arrays else Dayparts()


def slots(at: LongArray, timezone: str, dayparts: Dayparts = Dayparts()) -> npt.NDArray[np.int64]:
    """Return the daypart of the week, 0 (Monday's breakfast) to 34 (Sunday's night), of instants (seconds, UTC)."""
    if not len(at):
        return np.empty(0, np.int64)
    # A year has 35,000 quarters of an hour, and clocks differ by whole ones: looked up once each, not once an order.
    quarters = at // QUARTER_S
    first, last = int(quarters.min()), int(quarters.max())
    if last - first < QUARTERS_EACH * len(at):
        return look_up(at, first, _slot_of(_local(np.arange(first, last + 1), timezone), dayparts))
    # One order far from all others must not make a table of all the years between.
    there, number = np.unique(quarters, return_inverse=True)
    return _slot_of(_local(there, timezone), dayparts)[number]


def _local(quarters: npt.NDArray[np.int64], timezone: str) -> npt.NDArray[np.int64]:
    """Return what clocks show at quarters of an hour (counted since 1970), in seconds."""
    instants = pl.from_epoch(pl.Series(quarters * QUARTER_S, dtype=pl.Int64), time_unit="s")
    local = instants.dt.replace_time_zone("UTC").dt.convert_time_zone(timezone)
    return np.asarray(local.dt.replace_time_zone(None).dt.epoch("s").to_numpy())


def slot(at: int, timezone: str, dayparts: Dayparts = Dayparts()) -> int:
    """Return the daypart of the week of an instant (seconds, UTC)."""
    return _slot_of_quarter(at // QUARTER_S, timezone, dayparts)


@lru_cache(maxsize=1_000)
def _slot_of_quarter(quarter: int, timezone: str, dayparts: Dayparts) -> int:
    # Clocks differ by whole quarters of an hour.
    return int(_slot_of(quarter * QUARTER_S + _offset(quarter * QUARTER_S // HOUR_S, timezone), dayparts))


def _slot_of(local_s: npt.NDArray[np.int64] | int, dayparts: Dayparts) -> npt.NDArray[np.int64]:
    # A day is taken to begin with its breakfast, so that a night is one.
    since = local_s - dayparts.breakfast * HOUR_S
    weekday = (since // DAY_S + THURSDAY) % WEEKDAYS
    return np.asarray(weekday * PARTS + part_of_hour(dayparts)[local_s // HOUR_S % 24])


@lru_cache(maxsize=1_000)
def _offset(hour: int, timezone: str) -> int:
    """Return the seconds by which clocks are ahead of UTC in an hour (counted since 1970)."""
    return round(datetime.fromtimestamp(hour * HOUR_S, ZoneInfo(timezone)).utcoffset().total_seconds())  # type: ignore[union-attr]
