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
from cli.output import (
    HomeOption,
    JsonOption,
    actor,
    err,
    out,
    print_facts,
    print_json,
    print_table,
    progress,
    settings_for,
)
from engine.errors import Conflict

if TYPE_CHECKING:
    from engine.imports.intake import ImportSummary
    from engine.imports.orders import Progress

GROUP_HELP = """Import files into the home folder; importing the same file again changes nothing.

CSV, TSV, NDJSON (each also .gz), Excel, Parquet and .zip are read. Every row is accepted, a duplicate, or lands in a
quarantine file with its reason and line number. Exit code 2 when no row could be used.
"""
KIND_HELP = """Import {kind} and print what became of every row.

[bold]Examples[/bold]

{examples}
"""
EXAMPLES = {
    "orders": (
        "regulars import orders orders.csv",
        "regulars import orders orders.parquet order_items.parquet --map docs/guides/import/ncr_food_orders.yaml",
        "regulars import orders orders_export_1.csv --map shopify",
    ),
    "customers": ("regulars import customers crm.ndjson --map crm.yaml --json",),
    "items": ("regulars import items menu.xlsx --map menu.yaml",),
    "vendors": ("regulars import vendors vendors.csv",),
    "offers": ("regulars import offers offers.csv",),
}
GUESS_HELP = """Propose a map for files, say what is unsure, and show rows as they would be read; nothing is imported.

[bold]Examples[/bold]

regulars import guess export.xlsx

regulars import guess orders.csv lines.csv --kind orders --write map.yaml
"""


class KindChoice(StrEnum):
    """What the files hold."""

    orders = "orders"
    customers = "customers"
    items = "items"
    vendors = "vendors"
    offers = "offers"


imports = typer.Typer(name="import", help=GROUP_HELP, no_args_is_help=True, rich_markup_mode="rich")
app.add_typer(imports)

FilesArgument = Annotated[
    list[Path], typer.Argument(help="CSV, NDJSON, Excel or Parquet files, or a .zip of them.", show_default=False)
]
MapOption = Annotated[
    str | None,
    typer.Option("--map", help="YAML map from foreign names, or a ready one: shopify, toast, ...", show_default=False),
]


def _register(kind: KindChoice) -> None:
    def command(
        files: FilesArgument, map_file: MapOption = None, home: HomeOption = None, as_json: JsonOption = False
    ) -> None:
        import_command(kind, files, map_file, home, as_json=as_json)

    examples = "\n\n".join(EXAMPLES[kind.value])
    imports.command(kind.value, help=KIND_HELP.format(kind=kind.value, examples=examples))(command)


for _kind in KindChoice:
    _register(_kind)


def import_command(
    kind: KindChoice, files: list[Path], map_file: str | None, home: Path | None, *, as_json: bool
) -> None:
    """Import files and print what became of every row."""
    # The data libraries take most of a second to load; `regulars --help` must not wait for them.
    from engine.database.audit import record  # noqa: PLC0415
    from engine.database.session import connect, transaction  # noqa: PLC0415
    from engine.imports.intake import import_files  # noqa: PLC0415
    from engine.imports.mapping import read_map  # noqa: PLC0415
    from engine.imports.ready_maps import find_map  # noqa: PLC0415

    settings = settings_for(home)
    now = datetime.now(UTC)
    mapping = None if map_file is None else read_map(find_map(map_file), kind.value)
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


@imports.command("guess", help=GUESS_HELP)
def guess_command(
    files: FilesArgument,
    kind: Annotated[KindChoice | None, typer.Option("--kind", help="What the files hold.", show_default=False)] = None,
    write: Annotated[
        Path | None, typer.Option("--write", help="Write the map to this file, which must not exist.")
    ] = None,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Propose a map and print it, or write it where nothing is yet."""
    from engine.imports.guess.propose import guess_map  # noqa: PLC0415

    guess = guess_map(settings_for(home), files, None if kind is None else kind.value, now=datetime.now(UTC))
    if write is not None:
        if write.exists():
            raise Conflict("there is such a file; give another name or remove it", where=str(write))
        write.write_text(guess.yaml, encoding="utf-8")
    if as_json:
        print_json(guess.as_dict())
        return
    out.print(guess.yaml, markup=False, soft_wrap=True)
    rows = [[each.theirs, each.ours or "", each.why] for each in guess.columns]
    print_table("Columns", ["in the file", "ours", "why"], rows)
    for row in guess.preview:
        cells = ", ".join(f"{name} {cell}" for name, cell in row.items() if name != "line" and cell is not None)
        out.print(f"line {row['line']}: {cells}", markup=False, soft_wrap=True)
    facts: dict[str, object] = {f"refused for {code}": f"{n:,} rows" for code, n in guess.refusals.items()}
    if guess.ready is not None:
        facts["ready map"] = f"these files fit --map {guess.ready}"
    for number, note in enumerate(guess.notes, 1):
        facts[f"note {number}"] = note
    if facts:
        print_facts("About these files", facts)


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
