"""`regulars recommend`: what the service would answer now, from the live artifact and the inbox, without a server."""

from __future__ import annotations

from typing import Annotated

import typer

from cli.app import app
from cli.output import HomeOption, JsonOption, print_json, print_table
from cli.recommend.answering import open_home, show_dishes, show_notes
from cli.recommend.options import (
    Allergen,
    At,
    Cart,
    Clicked,
    Customer,
    Diet,
    Exclude,
    Explain,
    Known,
    Language,
    Latitude,
    Limit,
    Longitude,
    ReferredBy,
    Vendor,
    Zone,
)

recommend = typer.Typer(
    no_args_is_help=True, rich_markup_mode="rich", help="Ask for dishes, add-ons or vendors without a server."
)
app.add_typer(recommend, name="recommend")


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
    opened = open_home(home, customer, limit, at, zone, exclude, language, explain=explain, **context)
    answer = recommend_dishes(opened.published, opened.catalog, opened.request, opened.fresh)
    show_dishes(opened, answer, f"Dishes for {customer or 'a stranger'}", json=json)


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
    opened = open_home(home, None, limit, at, zone, exclude, language, explain=explain, **context)
    answer = similar_dishes(opened.published, opened.catalog, opened.request, opened.fresh, item_id=item)
    show_dishes(opened, answer, f"Dishes like {item}", json=json)


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
    opened = open_home(home, customer, limit, at, zone, exclude, language, explain=explain, **context)
    answer = addon_dishes(opened.published, opened.catalog, opened.request, opened.fresh)
    show_dishes(opened, answer, f"What goes with {', '.join(cart)}", json=json)


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
    opened = open_home(home, customer, limit, at, zone, exclude, language, explain=explain, **context)
    answer = dishes_again(opened.published, opened.catalog, opened.request, opened.fresh)
    show_dishes(opened, answer, f"Again for {customer}", json=json)


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
    opened = open_home(home, customer, limit, at, zone, exclude, language, explain=True, **context)
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
    show_notes(notes, answer.unknown_ids, answer.why_short)


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
    from cli.segments.opened import opened_segment  # noqa: PLC0415
    from engine.recommend.lists.featured import feature_dishes  # noqa: PLC0415
    from engine.segments.facts import members  # noqa: PLC0415
    from engine.segments.sources import home_segment_sources  # noqa: PLC0415

    context = {"allergens": allergen, "diets": diet, "vendor_id": vendor}
    opened = open_home(home, None, limit, at, zone, exclude, language, explain=False, **context)
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
    show_notes(notes, answer.unknown_ids, answer.why_short)
