"""What the app asks, and its context: the query, what may be shown, and what could not be honoured as asked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

from engine.errors import BadRequest
from engine.events.event import Event
from engine.language import LANGUAGES, text_language
from engine.models.arrays import IntArray
from engine.models.query import Place, Query
from engine.recommend.catalog.catalog import Catalog
from engine.recommend.catalog.diets import understood
from engine.recommend.catalog.filters import Limits, apply, dishes_of, disliked_dishes
from engine.recommend.options import Options
from engine.recommend.published.model import PublishedModel
from engine.recommend.scoring.allowed import NO_DISH, Allowed

AHEAD = timedelta(days=366)
# Clocks differ, and an app may repeat the request of a moment ago; older than this it asks about the past.
PAST = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class DishRequest:
    """What the app asks. `candidates` None means every dish; `zone`, `vendor_id` None mean not asked.

    `clicked` are dishes looked at in this session, oldest first, sent with the request instead of as events;
    `request_id` seeds the lot where slots are given away by lot. `language` None is the customer's own, and
    `referred_by` the customer who brought a newcomer here, None where the customers table knows better.
    """

    customer_id: str | None
    limit: int
    at: datetime
    zone: str | None = None
    vendor_id: str | None = None
    latitude: float | None = None
    longitude: float | None = None
    cart: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    candidates: tuple[str, ...] | None = None
    language: str | None = None
    allergens: tuple[str, ...] = ()
    diets: tuple[str, ...] = ()
    clicked: tuple[str, ...] = ()
    explain: bool = False
    options: Options = Options()
    request_id: str = ""
    referred_by: str | None = None


@dataclass(frozen=True, slots=True)
class RankingContext:
    """A request opened: everything every list needs.

    `unknown_ids` counts ids we do not know, by field path; names and reasons are worded in `language`.
    """

    published: PublishedModel
    catalog: Catalog
    request: DishRequest
    fresh: Sequence[Event]
    query: Query
    limits: Limits
    allowed: Allowed
    clicked: IntArray
    unknown_ids: dict[str, int]
    language: str
    notes: list[str] = field(default_factory=list)

    @property
    def nearby(self) -> bool:
        """Whether models score for the place of the request; for an unknown zone, for the last one."""
        zone, told = self.request.zone, self.request.latitude is not None
        return zone is None or told or self.published.zones.row(zone) >= 0


def build_request(
    published: PublishedModel,
    catalog: Catalog,
    request: DishRequest,
    fresh: Sequence[Event],
    *,
    vendor: IntArray | None = None,
    again: bool = False,
) -> RankingContext:
    """Translate a request's ids, put the hard filters together and note what could not be honoured as asked.

    `vendor` are the dishes a list is confined to where the request names no vendor; `again` asks for dishes ordered
    before even where nobody orders twice.
    Raises BadRequest for an allergen or diet nobody knows.
    """
    unknown: dict[str, int] = {}
    spoken = _spoken(published, request)
    query = published.query(
        request.customer_id,
        fresh,
        now=int(request.at.timestamp()),
        place=_place(published, request),
        language=spoken,
        referrer=_referrer(published, request, unknown),
    )
    labels = catalog.labels

    def known(field_path: str, ids: Sequence[str]) -> IntArray:
        if not ids:
            return NO_DISH
        columns = published.items.rows_of(ids)
        found = columns[columns >= 0]
        if len(found) < len(ids):
            unknown[field_path] = len(ids) - len(found)
        return found

    limits = Limits(
        at=request.at,
        zone=request.zone,
        vendor=vendor if request.vendor_id is None else dishes_of(published, catalog, request.vendor_id),
        candidates=None if request.candidates is None else known("candidates", request.candidates),
        allergens=understood(request.allergens, labels.allergen_words, "context.allergens")
        if request.allergens
        else (),
        diets=understood(request.diets, labels.diet_words, "context.diets") if request.diets else (),
        excluded=known("exclude", request.exclude),
        cart=known("context.cart", request.cart),
        disliked=disliked_dishes(published, fresh),
        ordered=NO_DISH if published.repeats or again else query.items,
    )
    clicked = known("context.clicked", request.clicked)
    return RankingContext(
        published, catalog, request, fresh, query, limits, apply(catalog, limits), clicked, unknown,
        text_language(request.language, LANGUAGES[spoken] if spoken >= 0 else catalog.language),
        _notes(published, catalog, request, query, unknown),
    )  # fmt: skip


def _spoken(published: PublishedModel, request: DishRequest) -> int:
    """Return the number of their language: as the customers table had it at training time, or as asked; -1 unknown."""
    tongue = text_language(request.language, "")
    asked = LANGUAGES.index(tongue) if tongue else -1
    if request.customer_id is None:
        return asked
    row, cards = published.row_of(request.customer_id), published.extras.cards
    if row >= 0:
        known = int(published.languages[row])
    else:
        known = cards.language_of(request.customer_id) if cards is not None else -1
    return known if known >= 0 else asked


def _referrer(published: PublishedModel, request: DishRequest, unknown: dict[str, int]) -> int:
    """Return the row of who brought a newcomer here, -1 where nobody did; one we do not know is counted."""
    if request.referred_by is not None:
        row = published.customers.row(request.referred_by)
        if row < 0:
            unknown["context.referred_by"] = 1
        return row if request.referred_by != request.customer_id else -1
    cards = published.extras.cards
    if request.customer_id is None or cards is None or published.row_of(request.customer_id) >= 0:
        return -1
    return cards.referrer_of(request.customer_id)


def _place(published: PublishedModel, request: DishRequest) -> Place:
    """Return where the customer asks from; for a newcomer who does not say, their home zone."""
    place = published.place(request.zone, request.vendor_id, request.latitude, request.longitude)
    cards, told = published.extras.cards, request.zone is not None or request.latitude is not None
    if told or cards is None or request.customer_id is None or published.row_of(request.customer_id) >= 0:
        return place
    return replace(place, zone=cards.home_zone(request.customer_id))


def check_instant(published: PublishedModel, at: datetime, now: datetime) -> tuple[str, ...]:
    """Return notes on the instant asked about: `past_at` where it lies more than a day back.

    Opening hours and recency are then those of that instant, while tastes are those known today.
    Raises BadRequest for an instant before the first order we know, or more than a year ahead.
    """
    if at > now + AHEAD:
        raise BadRequest(f"lies more than a year ahead ({at.isoformat()}); check the clock", where="context.at")
    began = published.began_at or 0
    if at.timestamp() < began:
        first = datetime.fromtimestamp(began, UTC)
        raise BadRequest(f"lies before the first order we know ({first.isoformat()})", where="context.at")
    return ("past_at",) if at < now - PAST else ()


def _notes(
    published: PublishedModel, catalog: Catalog, request: DishRequest, query: Query, unknown: dict[str, int]
) -> list[str]:
    notes = []
    if not len(query.at):
        notes.append("unknown_customer")
    if request.zone is not None and request.zone not in catalog.zones and published.zones.row(request.zone) < 0:
        notes.append("unknown_zone")
    if (
        request.vendor_id is not None
        and request.vendor_id not in catalog.vendor_number
        and published.vendors.row(request.vendor_id) < 0
    ):
        notes.append("unknown_vendor")
    if unknown:
        notes.append("unknown_ids")
    if (
        request.referred_by is not None
        and not len(query.at)
        and not any(model.reads_referrers for model in published.models)
    ):
        notes.append("referrals_not_learned")
    return notes
