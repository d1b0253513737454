"""The published models as serving holds them: arrays mapped, ids translated, fresh events folded into queries."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import numpy as np
import numpy.typing as npt

from engine.artifact import Artifact, Pause, no_pause
from engine.errors import ArtifactBroken
from engine.events.event import Event
from engine.events.orders import ordered_items, standing_orders
from engine.history.dayparts import Dayparts
from engine.ids import IdMap
from engine.language import LANGUAGES
from engine.models.arrays import IntArray, LongArray
from engine.models.base import Neighbours, Recommender
from engine.models.baskets import Baskets
from engine.models.query import Place, Query
from engine.models.registry import model_kind
from engine.recommend.published.extras import Extras
from engine.recommend.published.places import trained_baskets, went_to
from engine.recommend.scoring.blend import Blend, weights_for_new
from engine.recommend.scoring.features import names
from engine.recommend.scoring.ranker import Ranker
from engine.recommend.scoring.scorer import Scorer

BASKET_FIELDS = ("customer_start", "basket_start", "items", "quantity", "at", "zone", "vendor", "latitude", "longitude")
NEVER: LongArray = np.empty(0, np.int64)
ID_GROUPS = ("customers", "items", "zones", "vendors")


@dataclass(frozen=True, slots=True)
class PublishedModel:
    """One version, ready to answer. `languages` (customers) int8 points into LANGUAGES, -1 unknown.

    `inbox_through` is the last inbox place whose events training has seen.
    """

    version: str
    models: Sequence[Recommender]
    blend: Blend
    ranker: Ranker | None
    customers: IdMap
    items: IdMap
    zones: IdMap
    vendors: IdMap
    vendor_item_start: npt.NDArray[np.int64]
    vendor_items: IntArray
    baskets: Baskets
    languages: npt.NDArray[np.int8]
    inbox_through: int
    manifest: Mapping[str, Any]
    extras: Extras = field(default_factory=Extras)
    scorer: Scorer = field(init=False, repr=False)
    _last: list[tuple[str | None, int]] = field(init=False, repr=False, compare=False)
    _clock: str | None = field(init=False, repr=False, compare=False)
    # Those it was trained with.
    dayparts: Dayparts = field(init=False, repr=False, compare=False)
    # The first order's instant, seconds since 1970; None where instants are not told.
    began_at: int | None = field(init=False, repr=False, compare=False)
    # Models that recommend by single dishes ordered, by their number.
    neighbour_models: tuple[tuple[int, Neighbours], ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Join models, blend and ranker."""
        object.__setattr__(self, "scorer", Scorer(self.models, self.blend, self.ranker))
        object.__setattr__(self, "_last", [(None, -1)])
        found = tuple((number, model.neighbour_links()) for number, model in enumerate(self.models))
        linked = tuple((number, each) for number, each in found if each is not None)
        object.__setattr__(self, "neighbour_models", linked)
        starts = self.manifest.get("data", {}).get("dayparts")
        object.__setattr__(self, "dayparts", Dayparts(**starts) if starts else Dayparts())
        object.__setattr__(self, "_clock", self.manifest.get("data", {}).get("clock"))
        first = self.manifest.get("data", {}).get("first_at")
        began = int(datetime.fromisoformat(first).timestamp()) if first and self.keeps_time else None
        object.__setattr__(self, "began_at", began)

    @property
    def repeats(self) -> bool:
        """Whether customers order the same dish again; where they do not, lists hold only dishes new to them."""
        return bool(self.manifest.get("data", {}).get("repeats", True))

    @property
    def keeps_time(self) -> bool:
        """Whether orders came with the time of day; where they did not, only their order means something."""
        return self._clock == "time"

    @property
    def keeps_hours(self) -> bool:
        """Whether orders came with the hour; where they came with the date alone, all are at one time of day."""
        return self.keeps_time and bool(self.manifest.get("data", {}).get("hours", True))

    def query(
        self,
        customer_id: str | None,
        fresh: Sequence[Event],
        *,
        now: int,
        place: Place,
        language: int = -1,
        referrer: int = -1,
    ) -> Query:
        """Return the customer's question with their baskets from training and from events training has not seen.

        Where the request does not say where the customer is, the place of their last order stands in. `language`
        points into LANGUAGES and `referrer` is the row of who brought them here, -1 unknown; once the customer has
        ordered, nobody asks who.
        """
        row = self.row_of(customer_id)
        trained = self.baskets
        first, end, line, line_end, start, here, place = trained_baskets(trained, row, place)
        items, at = trained.items[line:line_end], trained.at[first:end]
        since, undone = self._fresh_baskets(fresh, at) if fresh else ([], NEVER)
        if len(undone):
            keep = ~np.isin(at, undone)
            items = items[np.repeat(keep, np.diff(start))]
            start = np.concatenate([[0], np.cumsum(np.diff(start)[keep])])
            at, here = at[keep], here[keep]
        if since:
            items = np.concatenate([items, *(columns for columns, _, _ in since)])
            start = np.concatenate([start, start[-1] + np.cumsum([len(columns) for columns, _, _ in since])])
            at = np.concatenate([at, [instant for _, instant, _ in since]])
            position = np.array([[went.zone, went.latitude, went.longitude] for _, _, went in since]).T
            here = np.concatenate([here, went_to(place, *position)])
        brought_by = None if len(start) > 1 or referrer < 0 else self._baskets_of(referrer, now)
        return Query(items, start, at, now, place, row, here, language, brought_by)

    def _baskets_of(self, row: int, now: int) -> Query:
        """Return a customer's baskets from training."""
        found = trained_baskets(self.baskets, row, Place())
        items, at = self.baskets.items[found.line : found.line_end], self.baskets.at[found.first : found.end]
        return Query(items, found.start, at, now, row=row, here=found.here)

    def row_of(self, customer_id: str | None) -> int:
        """Return the customer's row, -1 for a stranger; a request asks several times for the same one."""
        asked, row = self._last[0]
        if asked != customer_id:
            row = self.customers.row(customer_id) if customer_id is not None else -1
            self._last[0] = (customer_id, row)
        return row

    def language(self, customer_id: str | None, default: str) -> str:
        """Return which of LANGUAGES the customers table had at training time; `default` where it is another or none."""
        row = self.row_of(customer_id)
        return LANGUAGES[self.languages[row]] if row >= 0 and self.languages[row] >= 0 else default

    def timezone(self, customer_id: str | None, default: str) -> str:
        """Return the IANA zone of the customers table at training time; `default` where it is unknown."""
        return self.extras.clocks.zone_info(self.row_of(customer_id), default).key

    def place(self, zone: str | None, vendor: str | None, latitude: float | None, longitude: float | None) -> Place:
        """Number a request's place; what we do not know becomes unknown."""
        return Place(
            self.zones.row(zone) if zone is not None else -1,
            self.vendors.row(vendor) if vendor is not None else -1,
            float("nan") if latitude is None else latitude,
            float("nan") if longitude is None else longitude,
        )

    def items_of_vendor(self, vendor: int) -> IntArray:
        """Return the columns ever ordered at, or listed by, the vendor."""
        return self.vendor_items[self.vendor_item_start[vendor] : self.vendor_item_start[vendor + 1]]

    def _fresh_baskets(
        self, fresh: Sequence[Event], learned: LongArray
    ) -> tuple[list[tuple[IntArray, int, Place]], LongArray]:
        """Return (item columns, instant, place) of the standing orders training has not learned, oldest first.

        The second part holds the instants among `learned` whose orders were undone since.
        """

        def basket_of(event: Event) -> tuple[IntArray, Place] | None:
            columns = {column for item in ordered_items(event) if (column := self.items.row(item)) >= 0}
            return (np.array(sorted(columns), dtype=np.int32), self._place_of(event)) if columns else None

        orders, undone = standing_orders(fresh, self.inbox_through, basket_of, set(learned.tolist()))
        baskets = [(columns, at, place) for (columns, place), at in orders]
        return baskets, np.array(sorted(undone), dtype=np.int64)

    def _place_of(self, event: Event) -> Place:
        told = event.properties
        latitude, longitude, zone = told.get("latitude"), told.get("longitude"), told.get("zone")
        return self.place(
            zone if isinstance(zone, str) else None,
            None,
            float(latitude) if isinstance(latitude, int | float) else None,
            float(longitude) if isinstance(longitude, int | float) else None,
        )


def arrays_of(
    models: Sequence[Recommender],
    ranker: Ranker | None,
    baskets: Baskets,
    ids: Mapping[str, IdMap],
    vendor_items: tuple[npt.NDArray[np.int64], IntArray],
    languages: npt.NDArray[np.int8],
) -> dict[str, npt.NDArray[np.generic]]:
    """Return everything `serve` needs as named arrays, the counterpart of `open_published`."""
    found: dict[str, npt.NDArray[np.generic]] = {}
    for model in models:
        found |= {f"models.{model.name}.{key}": array for key, array in model.arrays().items()}
    if ranker is not None:
        found |= {f"ranker.{key}": array for key, array in ranker.arrays().items()}
    for group, id_map in ids.items():
        found |= {f"ids.{group}.{key}": array for key, array in id_map.arrays().items()}
    found |= {f"baskets.{key}": getattr(baskets, key) for key in BASKET_FIELDS}
    found |= {"vendor_items.start": vendor_items[0], "vendor_items.items": vendor_items[1]}
    return found | {"customer_language": languages}


def open_published(artifact: Artifact, *, pause: Pause = no_pause) -> PublishedModel:
    """Build the models from an artifact's arrays; `pause` is called between them.

    Raises ArtifactBroken when an array is missing or a model is unknown to this release.
    """
    manifest = artifact.manifest
    try:
        ids = {group: IdMap.from_arrays(artifact.group(f"ids.{group}")) for group in ID_GROUPS}
        models = []
        for name in manifest["models"]:
            models.append(model_kind(name).from_arrays(artifact.group(f"models.{name}")))
            pause()
        ranker = _ranker(artifact, [model.name for model in models], pause)
        pause()
        fields = artifact.group("baskets")
        baskets = Baskets(**{key: fields[key] for key in BASKET_FIELDS}, n_items=len(ids["items"]))  # type: ignore[arg-type]
        vendor_items = artifact.group("vendor_items")
        return PublishedModel(
            version=artifact.version,
            models=models,
            blend=Blend(manifest["weights"], manifest.get("weights_for_new", weights_for_new())),
            ranker=ranker,
            **ids,
            vendor_item_start=vendor_items["start"],  # type: ignore[arg-type]
            vendor_items=vendor_items["items"],  # type: ignore[arg-type]
            baskets=baskets,
            languages=artifact.arrays["customer_language"],  # type: ignore[arg-type]
            inbox_through=int(manifest["inbox_through"]),
            manifest=manifest,
            extras=Extras.from_arrays(artifact.group("extras")),
        )
    except (KeyError, IndexError, TypeError) as error:
        raise ArtifactBroken(f"lacks {error}; train again", where=str(artifact.folder)) from error


def _ranker(artifact: Artifact, models: Sequence[str], pause: Pause = no_pause) -> Ranker | None:
    """Return the artifact's ranker; None where it has none, or one taught on other features by another release."""
    if "ranker.trees" not in artifact.arrays:
        return None
    try:
        ranker = Ranker.from_arrays(artifact.group("ranker"), pause=pause)
    except KeyError:  # what another release knew of dishes
        return None
    return ranker if list(ranker.trees.names) == names(models) else None
