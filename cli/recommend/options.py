"""The options that the list commands share: who asks, where, when, and what must not be shown."""

from __future__ import annotations

from typing import Annotated

import typer

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
    str | None,
    typer.Option(
        "--language", help="A tag such as en or zh-CN; default the customer's, else the home's.", show_default=False
    ),
]


Explain = Annotated[bool, typer.Option("--explain", help="Also say how each dish came to its place.")]


Latitude = Annotated[float | None, typer.Option("--latitude", min=-90, max=90, help="Degrees north.")]


Longitude = Annotated[float | None, typer.Option("--longitude", min=-180, max=180, help="Degrees east.")]
