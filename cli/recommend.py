"""`regulars recommend`: what the service would answer now, from the live artifact and the inbox, without a server."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any
from uuid import uuid4

import typer

from cli.app import app
from cli.output import HomeOption, JsonOption, err, print_json, print_table, settings_for
from engine.errors import NotFound

if TYPE_CHECKING:
    from engine.events.event import Event
    from engine.recommend.catalog.catalog import Catalog
    from engine.recommend.explain.reasons import Reason
    from engine.recommend.published.model import PublishedModel
    from engine.recommend.request import DishRequest
    from engine.recommend.response import DishAnswer
    from engine.settings import Settings

recommend = typer.Typer(
    no_args_is_help=True, rich_markup_mode="rich", help="Ask for dishes, add-ons or vendors without a server."
)
app.add_typer(recommend, name="recommend")

# Of a customer's events in the inbox: what the customer was shown must not hide what the customer did.
MOST_READ = 20_000

Customer = Annotated[str | None, typer.Argument(help="Who asks; without them, what a stranger is shown.")]
Known = Annotated[str, typer.Argument(help="Who asks.")]
Limit = Annotated[int, typer.Option("--limit", min=1, max=100, help="How many.")]
At = Annotated[
    str | None, typer.Option("--at", help="An instant such as 2026-03-01T12:00; default now.", show_default=False)
]
Zone = Annotated[str | None, typer.Option("--zone", help="Delivery zone; default any.", show_default=False)]
Vendor = Annotated[str | None, typer.Option("--vendor", help="Only this vendor's dishes.", show_default=False)]
Cart = Annotated[list[str] | None, typer.Option("--cart", help="A dish in the cart; repeatable.")]
Exclude = Annotated[list[str] | None, typer.Option("--exclude", help="A dish never to show; repeatable.")]
Allergen = Annotated[list[str] | None, typer.Option("--allergen", help="Never dishes with this; repeatable.")]
Diet = Annotated[list[str] | None, typer.Option("--diet", help="Only dishes labelled for this; repeatable.")]
ReferredBy = Annotated[
    str | None, typer.Option("--referred-by", help="Of a newcomer: who brought them here.", show_default=False)
]
Clicked = Annotated[
    list[str] | None, typer.Option("--clicked", help="A dish the customer tapped just now; repeatable.")
]
Language = Annotated[
    str | None, typer.Option("--language", help="en or zh; default the customer's.", show_default=False)
]
Explain = Annotated[bool, typer.Option("--explain", help="Also say how each dish came to its place.")]
Latitude = Annotated[float | None, typer.Option("--latitude", min=-90, max=90, help="Degrees north.")]
Longitude = Annotated[float | None, typer.Option("--longitude", min=-180, max=180, help="Degrees east.")]


@dataclass(frozen=True, slots=True)
class Opened:
    """A home ready to answer: models, catalogue, the request, their events, and notes on the instant."""

    settings: Settings
    published: PublishedModel
    catalog: Catalog
    request: DishRequest
    fresh: Sequence[Event]
    notes: tuple[str, ...]


@recommend.command()
def dishes(
    customer: Customer = None,
    limit: Limit = 10,
    at: At = None,
    zone: Zone = None,
    vendor: Vendor = None,
    cart: Cart = None,
    exclude: Exclude = None,
    allergen: Allergen = None,
    diet: Diet = None,
    clicked: Clicked = None,
    referred_by: ReferredBy = None,
    language: Language = None,
    explain: Explain = False,
    home: HomeOption = None,
    json: JsonOption = False,
) -> None:
    """Show the dishes a customer would be shown here and now.

    [bold]Examples[/bold]

      regulars recommend dishes c-1042 --zone z-03 --limit 5

      regulars recommend dishes --clicked d-0007 --allergen peanuts --language zh
    """
    from engine.recommend.home import recommend_dishes  # noqa: PLC0415 - with the others: help loads no model

    context = {"cart": cart, "allergens": allergen, "diets": diet, "clicked": clicked, "vendor_id": vendor}
    context |= {"referred_by": referred_by}
    opened = _open(home, customer, limit, at, zone, exclude, language, explain=explain, **context)
    answer = recommend_dishes(opened.published, opened.catalog, opened.request, opened.fresh)
    _show_dishes(opened, answer, f"Dishes for {customer or 'a stranger'}", json=json)


@recommend.command()
def similar(
    item: Annotated[str, typer.Argument(help="The dish to find others like.")],
    limit: Limit = 10,
    at: At = None,
    zone: Zone = None,
    vendor: Vendor = None,
    exclude: Exclude = None,
    allergen: Allergen = None,
    diet: Diet = None,
    language: Language = None,
    explain: Explain = False,
    home: HomeOption = None,
    json: JsonOption = False,
) -> None:
    """Show dishes like one.

    Example: [bold]regulars recommend similar d-0007 --limit 5[/bold]
    """
    from engine.recommend.lists.similar import similar_dishes  # noqa: PLC0415

    context = {"allergens": allergen, "diets": diet, "vendor_id": vendor}
    opened = _open(home, None, limit, at, zone, exclude, language, explain=explain, **context)
    answer = similar_dishes(opened.published, opened.catalog, opened.request, opened.fresh, item_id=item)
    _show_dishes(opened, answer, f"Dishes like {item}", json=json)


@recommend.command()
def addons(
    cart: Annotated[list[str], typer.Option("--cart", help="A dish in the cart; repeatable.")],
    customer: Customer = None,
    limit: Limit = 5,
    at: At = None,
    zone: Zone = None,
    exclude: Exclude = None,
    allergen: Allergen = None,
    diet: Diet = None,
    language: Language = None,
    explain: Explain = False,
    home: HomeOption = None,
    json: JsonOption = False,
) -> None:
    """Show what completes a cart.

    Example: [bold]regulars recommend addons c-1042 --cart d-0007 --cart d-0012[/bold]
    """
    from engine.recommend.lists.addons import addon_dishes  # noqa: PLC0415

    context = {"cart": cart, "allergens": allergen, "diets": diet}
    opened = _open(home, customer, limit, at, zone, exclude, language, explain=explain, **context)
    answer = addon_dishes(opened.published, opened.catalog, opened.request, opened.fresh)
    _show_dishes(opened, answer, f"What goes with {', '.join(cart)}", json=json)


@recommend.command()
def again(
    customer: Known,
    limit: Limit = 10,
    at: At = None,
    zone: Zone = None,
    vendor: Vendor = None,
    exclude: Exclude = None,
    allergen: Allergen = None,
    diet: Diet = None,
    language: Language = None,
    explain: Explain = False,
    home: HomeOption = None,
    json: JsonOption = False,
) -> None:
    """Show the dishes a customer ordered and can order now, and which are due.

    Example: [bold]regulars recommend again c-1042[/bold]
    """
    from engine.recommend.lists.again import dishes_again  # noqa: PLC0415

    context = {"allergens": allergen, "diets": diet, "vendor_id": vendor}
    opened = _open(home, customer, limit, at, zone, exclude, language, explain=explain, **context)
    answer = dishes_again(opened.published, opened.catalog, opened.request, opened.fresh)
    _show_dishes(opened, answer, f"Again for {customer}", json=json)


@recommend.command()
def vendors(
    customer: Customer = None,
    limit: Limit = 10,
    at: At = None,
    zone: Zone = None,
    latitude: Latitude = None,
    longitude: Longitude = None,
    exclude: Exclude = None,
    allergen: Allergen = None,
    diet: Diet = None,
    language: Language = None,
    home: HomeOption = None,
    json: JsonOption = False,
) -> None:
    """Show the vendors that are open and deliver there, those the customer would order from first.

    Example: [bold]regulars recommend vendors c-1042 --zone z-03[/bold]
    """
    from api.routes.lists import vendors_body  # noqa: PLC0415
    from engine.recommend.lists.vendors import recommend_vendors  # noqa: PLC0415

    context = {"allergens": allergen, "diets": diet, "latitude": latitude, "longitude": longitude}
    opened = _open(home, customer, limit, at, zone, exclude, language, explain=True, **context)
    answer = recommend_vendors(opened.published, opened.catalog, opened.request, opened.fresh)
    notes = (*answer.notes, *opened.notes)
    if json:
        request_id, version = opened.request.request_id, opened.published.version
        print_json(vendors_body(answer, version, request_id, list(notes), explain=True))
        return
    print_table(
        f"Vendors for {customer or 'a stranger'}",
        ["", "vendor", "name", "score", "km", "why", "dishes"],
        [
            [n, v.vendor_id, v.name, v.score, v.distance_km, v.reason.text, ", ".join(v.dishes)]
            for n, v in enumerate(answer.vendors, 1)
        ],
        whole=["vendor"],
    )
    _tell_notes(notes, answer.unknown_ids, answer.why_short)


@recommend.command("for-segment")
def for_segment(
    segment: Annotated[str, typer.Argument(help="A YAML or JSON file, or the name of a ready or saved segment.")],
    with_: Annotated[
        list[str] | None, typer.Option("--with", help="A parameter the segment takes, such as cuisine=Sichuan.")
    ] = None,
    limit: Limit = 10,
    at: At = None,
    zone: Zone = None,
    vendor: Vendor = None,
    exclude: Exclude = None,
    allergen: Allergen = None,
    diet: Diet = None,
    language: Language = None,
    home: HomeOption = None,
    json: JsonOption = False,
) -> None:
    """Show dishes to feature for a segment: whom they suit, and how much more than they suit everybody.

    Example: [bold]regulars recommend for-segment one_timers --limit 5[/bold]
    """
    from api.routes.lists import featured_body  # noqa: PLC0415
    from cli.segments import opened_segment  # noqa: PLC0415
    from engine.recommend.lists.featured import feature_dishes  # noqa: PLC0415
    from engine.segments.facts import members  # noqa: PLC0415
    from engine.segments.sources import home_segment_sources  # noqa: PLC0415

    context = {"allergens": allergen, "diets": diet, "vendor_id": vendor}
    opened = _open(home, None, limit, at, zone, exclude, language, explain=False, **context)
    with opened_segment(segment, home, None, with_) as found:
        sources = home_segment_sources(found.settings, found.open_session, exact=False)
        ids = members(found.rule, sources, found.at).collect()["customer_id"].to_list()
    answer = feature_dishes(opened.published, opened.catalog, opened.request, ids)
    notes = (*answer.notes, *opened.notes)
    if json:
        print_json(featured_body(answer, opened.published.version, opened.request.request_id, list(notes)))
        return
    print_table(
        f"Dishes for {segment}: {answer.sampled} of {answer.members:,} members beside {answer.everybody} of everybody",
        ["", "dish", "name", "suits", "share", "lift", "why"],
        [[n, d.item_id, d.name, d.fits, d.share, d.lift, d.reason.text] for n, d in enumerate(answer.dishes, 1)],
        whole=["dish"],
    )
    _tell_notes(notes, answer.unknown_ids, answer.why_short)


def _open(
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
) -> Opened:
    """Load what the service would hold. Raises NotFound before the first training, BadRequest for a wrong value."""
    from engine.artifact import live_version, load  # noqa: PLC0415
    from engine.customers.moment import read_moment  # noqa: PLC0415
    from engine.errors import BadRequest  # noqa: PLC0415
    from engine.events.values import check_point  # noqa: PLC0415
    from engine.history.tables import read_table  # noqa: PLC0415
    from engine.recommend.catalog.catalog import catalog_of  # noqa: PLC0415
    from engine.recommend.options import read_options  # noqa: PLC0415
    from engine.recommend.published.model import open_published  # noqa: PLC0415
    from engine.recommend.request import DishRequest, check_instant  # noqa: PLC0415

    settings = settings_for(home)
    if language not in {None, "en", "zh"}:
        raise BadRequest(f"{language!r} is neither en nor zh", where="--language")
    check_point(context.get("latitude"), context.get("longitude"))
    version = live_version(settings.artifacts_folder)
    if version is None:
        raise NotFound("nothing has been trained yet; run `regulars train`", where=str(settings.home))
    published = open_published(load(settings.artifacts_folder, version))
    items, vendors_ = read_table(settings, "items"), read_table(settings, "vendors")
    catalog = catalog_of(published, items, vendors_, timezone=settings.timezone)
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
    return Opened(settings, published, catalog, request, _events(settings, customer), notes)


def _events(settings: Settings, customer: str | None) -> Sequence[Event]:
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


def _show_dishes(opened: Opened, answer: DishAnswer, title: str, *, json: bool) -> None:
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
    _tell_notes((*answer.notes, *opened.notes), answer.unknown_ids, answer.why_short)


def _tell_notes(notes: Sequence[str], unknown_ids: Mapping[str, int], why: Reason | None) -> None:
    if notes:
        err.print("Notes: " + ", ".join(notes), markup=False)
    for path, count in unknown_ids.items():
        err.print(f"Unknown ids in {path}: {count:,}", markup=False)
    if why is not None:
        err.print(f"Short because: {why.text} ({why.code})", markup=False)
