"""The `regulars` command itself; every group of verbs registers on `app`."""

from __future__ import annotations

import typer

app = typer.Typer(
    name="regulars",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    help="Turn one-time diners into regulars: learn from orders, recommend dishes and coupons, run campaigns.",
)
