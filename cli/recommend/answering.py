"""A home opened to answer one request, and how its lists look in a terminal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from cli.output import err, print_json, print_table, settings_for
from engine.errors import NotFound

if TYPE_CHECKING:
    from engine.events.event import Event
    from engine.recommend.catalog.catalog import Catalog
    from engine.recommend.explain.reasons import Reason
    from engine.recommend.published.model import PublishedModel
    from engine.recommend.request import DishRequest
    from engine.recommend.response import DishAnswer
    from engine.settings import Settings


# Of a customer's events in the inbox: what the customer was shown must not hide what the customer did.
MOST_READ = 20_000


@dataclass(frozen=True, slots=True)
class OpenedHome:
    """A home ready to answer: models, catalogue, the request, their events, and notes on the instant."""

    settings: Settings
    published: PublishedModel
    catalog: Catalog
    request: DishRequest
    fresh: Sequence[Event]
    notes: tuple[str, ...]


def open_home(
    home: Path | None,
    customer: str | None,
    limit: int,
    at: str | None,
    zone: str | None,
    exclude: list[str] | None,
    language: str | None,
    *,
    explain: bool,
    **context: Any,
) -> OpenedHome:
    """Load what the service would hold. Raises NotFound before the first training, BadRequest for a wrong value."""
    from engine.artifact import live_version, load  # noqa: PLC0415
    from engine.customers.moment import read_moment  # noqa: PLC0415
    from engine.errors import BadRequest  # noqa: PLC0415
    from engine.events.values import check_point  # noqa: PLC0415
    from engine.history.tables import read_table  # noqa: PLC0415
    from engine.language import is_tag  # noqa: PLC0415
    from engine.recommend.catalog.catalog import catalog_of  # noqa: PLC0415
    from engine.recommend.options import read_options  # noqa: PLC0415
    from engine.recommend.published.model import open_published  # noqa: PLC0415
    from engine.recommend.request import DishRequest, check_instant  # noqa: PLC0415

    settings = settings_for(home)
    if language is not None and not is_tag(language):
        raise BadRequest(f"{language!r} is no language tag such as en, zh-CN or pt-BR", where="--language")
    check_point(context.get("latitude"), context.get("longitude"))
    version = live_version(settings.artifacts_folder)
    if version is None:
        raise NotFound("nothing has been trained yet; run `regulars train`", where=str(settings.home))
    published = open_published(load(settings.artifacts_folder, version))
    items, vendors_ = read_table(settings, "items"), read_table(settings, "vendors")
    catalog = catalog_of(published, items, vendors_, timezone=settings.timezone, language=settings.language)
    now = datetime.now(UTC)
    asked_at = now if at is None else read_moment(at, settings.timezone, where="--at").at
    notes = () if at is None else check_instant(published, asked_at, now)
    given: dict[str, Any] = {
        name: tuple(value) if isinstance(value, list) else value for name, value in context.items() if value is not None
    }
    request = DishRequest(
        customer_id=customer,
        limit=limit,
        at=asked_at,
        zone=zone,
        exclude=tuple(exclude or ()),
        language=language,
        explain=explain,
        options=read_options(settings.home),
        request_id=uuid4().hex,
        **given,
    )
    return OpenedHome(settings, published, catalog, request, events_of_customer(settings, customer), notes)


def events_of_customer(settings: Settings, customer: str | None) -> Sequence[Event]:
    """Return what the service's cache would hold of them, oldest first, from the inbox."""
    from engine.database.session import connect, transaction  # noqa: PLC0415
    from engine.events.inbox import events_of  # noqa: PLC0415
    from engine.events.online.kept import kept_events, without_expired_dislikes  # noqa: PLC0415

    if customer is None:
        return []
    engine = connect(settings)
    try:
        with transaction(engine) as session:
            return without_expired_dislikes(
                kept_events(events_of(session, customer, limit=MOST_READ)[::-1]), datetime.now(UTC)
            )
    finally:
        engine.dispose()


def show_dishes(opened: OpenedHome, answer: DishAnswer, title: str, *, json: bool) -> None:
    from api.routes.recommend import dishes_body  # noqa: PLC0415

    if json:
        print_json(dishes_body(answer, opened.published.version, opened.request.request_id, opened.notes))
        return
    explain = opened.request.explain
    rows = []
    for n, dish in enumerate(answer.dishes, 1):
        row: list[object] = [n, dish.item_id, dish.name, dish.score, dish.source, dish.reason.text]
        if explain and dish.explained is not None:
            adds = sorted(dish.explained.contributions.items(), key=lambda pair: -pair[1])
            row.append(", ".join(f"{name} {value:.3f}" for name, value in adds if value) or "-")
        rows.append(row)
    columns = ["", "dish", "name", "score", "source", "why", *(["made of"] if explain else [])]
    print_table(title, columns, rows, whole=["dish"])
    if answer.filters is not None:
        err.print("Filters: " + ", ".join(f"{name} {n:,}" for name, n in answer.filters.items()), markup=False)
    show_notes((*answer.notes, *opened.notes), answer.unknown_ids, answer.why_short)


def show_notes(notes: Sequence[str], unknown_ids: Mapping[str, int], why: Reason | None) -> None:
    if notes:
        err.print("Notes: " + ", ".join(notes), markup=False)
    for path, count in unknown_ids.items():
        err.print(f"Unknown ids in {path}: {count:,}", markup=False)
    if why is not None:
        err.print(f"Short because: {why.text} ({why.code})", markup=False)
