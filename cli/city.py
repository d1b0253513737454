"""`regulars city`: write a simulated city, with its truth, as files that `regulars import` reads."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from cli.app import app
from cli.output import HomeOption, JsonOption, out, print_facts, print_json, progress, settings_for
from engine.errors import InputError

# Which files each import takes; orders and their lines go together.
IMPORTS = {
    "customers": ("customers",),
    "vendors": ("vendors",),
    "items": ("items",),
    "offers": ("offers",),
    "orders": ("orders", "lines"),
}


@app.command()
def city(
    customers: Annotated[int, typer.Option("--customers", min=1, max=9_999_999, help="How many customers.")] = 2_000,
    folder: Annotated[
        Path | None,
        typer.Option("--out", help="Folder to write, new or empty; default city in the home.", show_default=False),
    ] = None,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Equal seed, until and size give equal cities.")] = 0,
    days: Annotated[int, typer.Option("--days", min=1, max=3_650, help="Length of the order history.")] = 365,
    until: Annotated[
        str | None, typer.Option("--until", help="Instant the history ends, ISO 8601; default now, in whole hours.")
    ] = None,
    home: HomeOption = None,
    json: JsonOption = False,
) -> None:
    """Write a simulated city: customers, vendors, items, offers, orders, lines, and in truth/ what nobody could know.

    [bold]Examples[/bold]

      regulars city --customers 2000 --out city

      regulars city --customers 1000000 --out big --seed 7 --json
    """
    # These load numpy and polars, which other verbs need not wait for.
    from demo.city import write_city  # noqa: PLC0415
    from demo.world import CURRENCY, TIMEZONE  # noqa: PLC0415

    ends = _instant(until)
    target = folder or settings_for(home).home / "city"
    with progress() as bar:
        task = bar.add_task("city", total=customers)
        written = write_city(
            target,
            customers,
            seed=seed,
            until=ends,
            days=days,
            report=lambda done: bar.update(task, completed=done, description=f"{done:,} customers written"),
        )
    if json:
        files = {name: [str(path) for path in paths] for name, paths in written.files.items()}
        print_json({"folder": str(target), "until": ends, "seed": seed, "rows": written.rows, "files": files})
        return
    print_facts(f"A city in {target}, its history ending {ends:%Y-%m-%d %H:%M} UTC", written.rows)
    out.print("Import it with")
    environment = f"REGULARS_CURRENCY={CURRENCY} REGULARS_TIMEZONE={TIMEZONE}"
    for kind, names in IMPORTS.items():
        # A big city comes in numbered parts.
        files_text = " ".join(
            f"{target / name}{'' if len(written.files[name]) == 1 else '-*'}.parquet" for name in names
        )
        out.print(f"  {environment} regulars import {kind} {files_text}", markup=False, soft_wrap=True)


def _instant(text: str | None) -> datetime:
    if text is None:
        return datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
    try:
        found = datetime.fromisoformat(text)
    except ValueError as error:
        raise InputError(f"{text!r} is no instant such as 2026-03-01T00:00:00Z", where="--until") from error
    return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
