"""`regulars import`: files of orders, customers, items, vendors and offers into the home."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli.app import app
from cli.output import HomeOption, JsonOption, actor, err, print_facts, print_json, print_table, progress, settings_for

if TYPE_CHECKING:
    from engine.imports.intake import ImportSummary
    from engine.imports.orders import Progress

EXAMPLES = """Import files into the home folder; importing the same file again changes nothing.

CSV, TSV, NDJSON (each also .gz) and Parquet are read. Every row is accepted, a duplicate, or lands in a quarantine
file with its reason and line number. Exit code 2 when no row could be used.

[bold]Examples[/bold]

regulars import orders orders.csv

regulars import orders orders.parquet order_items.parquet --map docs/guides/import/ncr_food_orders.yaml

regulars import customers crm.ndjson --map crm.yaml --json
"""


class KindChoice(StrEnum):
    """What the files hold."""

    orders = "orders"
    customers = "customers"
    items = "items"
    vendors = "vendors"
    offers = "offers"


@app.command("import", help=EXAMPLES)
def import_command(
    kind: Annotated[KindChoice, typer.Argument(help="What the files hold.", show_default=False)],
    files: Annotated[list[Path], typer.Argument(help="CSV, NDJSON or Parquet files.", show_default=False)],
    map_file: Annotated[
        Path | None, typer.Option("--map", help="YAML map from foreign names, zones and units.", show_default=False)
    ] = None,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Import files and print what became of every row."""
    # The data libraries take most of a second to load; `regulars --help` must not wait for them.
    from engine.database.audit import record  # noqa: PLC0415
    from engine.database.session import connect, transaction  # noqa: PLC0415
    from engine.imports.intake import import_files  # noqa: PLC0415
    from engine.imports.mapping import read_map  # noqa: PLC0415

    settings = settings_for(home)
    now = datetime.now(UTC)
    mapping = None if map_file is None else read_map(map_file, kind.value)
    database = connect(settings)
    try:
        with _bar() as show:
            summary = import_files(settings, kind.value, files, mapping, now=now, progress=show)
        with transaction(database) as session:
            counts = ("read", "accepted", "quarantined", "duplicates", "updated")
            detail = {name: getattr(summary, name) for name in counts}
            names = [part.file for part in summary.files]
            record(
                session,
                now,
                actor=actor(),
                action="import",
                target=kind.value,
                detail={**detail, "files": names, "reasons": summary.reasons},
            )
    finally:
        database.dispose()
    for warning in summary.warnings:
        err.print(f"warning: {warning}", markup=False)
    if as_json:
        print_json(summary.as_dict())
    else:
        _print(summary)


@contextmanager
def _bar() -> Iterator[Progress]:
    with progress() as bar:
        task = bar.add_task("Importing", total=None)

        def show(stage: str, done: int, total: int) -> None:
            bar.update(task, description=stage, completed=done, total=total)

        yield show


def _print(summary: ImportSummary) -> None:
    figures = ("read", "accepted", "quarantined", "duplicates", "updated")
    rows = [[part.file, *(getattr(part, name) for name in figures)] for part in summary.files]
    if len(rows) > 1:
        rows.append(["all", *(getattr(summary, name) for name in figures)])
    print_table(f"Imported {summary.kind}", ["file", *figures], rows)
    if summary.reasons:
        print_table("Quarantined rows by reason", ["reason", "rows"], list(summary.reasons.items()))
    if summary.unreadable_cells:
        cells = [[column, code, n] for column, codes in summary.unreadable_cells.items() for code, n in codes.items()]
        print_table("Customers kept without a cell", ["column", "reason", "cells"], cells)
    facts: dict[str, object] = {}
    if summary.kind == "orders":
        facts = {
            "orders": summary.orders,
            "lines": summary.lines,
            "customers": summary.customers,
            "first ordered at": summary.first_ordered_at,
            "last ordered at": summary.last_ordered_at,
        }
    facts.update({f"learned for this home: {name}": what for name, what in summary.home.items()})
    facts.update({f"looked up in {name}": f"{n:,} rows" for name, n in summary.lookups.items()})
    if summary.left_out:
        facts["left out by the map's where"] = f"{summary.left_out:,} rows"
    if summary.ignored_columns:
        facts["ignored columns"] = ", ".join(summary.ignored_columns)
    for path in summary.quarantine_files:
        facts[f"quarantine {Path(path).name}"] = path
    if facts:
        print_facts("In these files", facts)
