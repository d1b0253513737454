"""What every command shares: `--home`, `--json`, and how figures reach people and scripts.

JSON goes to stdout alone; tables go to stdout too, progress and logs to stderr.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import orjson
import typer
from rich.cells import cell_len
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TextColumn,
    TimeElapsedColumn,
)
from rich.table import Table

from engine.errors import MissingFile
from engine.settings import Settings

HomeOption = Annotated[
    Path | None,
    typer.Option("--home", help="Home folder; default $REGULARS_HOME or ./regulars-home.", show_default=False),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON to stdout instead of tables.")]

MOST_UNBROKEN = 40
out = Console(highlight=False)
err = Console(stderr=True, highlight=False)


def settings_for(home: Path | None) -> Settings:
    """Build the settings of this call from the environment and `--home`."""
    return Settings.from_environment(os.environ, home=home)


def settings_of_home(home: Path | None) -> Settings:
    """Build the settings as `settings_for` does, for a verb that only works on what was imported.

    Raises MissingFile where there is no such home: a typing error must not make one.
    """
    settings = settings_for(home)
    if not settings.home.is_dir():
        raise MissingFile("no such home; `regulars import` makes one", where=str(settings.home))
    return settings


def actor() -> str:
    """Name who acts for the audit trail: the operating system's user."""
    return f"cli:{os.environ.get('USER') or os.environ.get('LOGNAME') or os.getuid()}"


def print_json(value: Any) -> None:
    """Write one JSON document and a newline to stdout."""
    typer.echo(
        orjson.dumps(value, option=orjson.OPT_INDENT_2 | orjson.OPT_NON_STR_KEYS | orjson.OPT_SERIALIZE_NUMPY).decode()
    )


def print_outcome(facts: Mapping[str, object], sentence: str, *, json: bool) -> None:
    """Print what was done: its facts for scripts, or one sentence."""
    if json:
        print_json(facts)
    else:
        out.print(sentence, markup=False)


def print_table(
    title: str, columns: Sequence[str], rows: Iterable[Sequence[object]], *, whole: Sequence[str] = ()
) -> None:
    """Print a table; figures are right-aligned, None shows as a dash.

    Figures, and the columns `whole`, whose ids other commands take, stand on one line however narrow the terminal;
    the rest is folded, and nothing is cut.
    """
    table = Table(title=title, title_justify="left", title_style="bold")
    kept = [list(row) for row in rows]
    for i, name in enumerate(columns):
        numeric = all(isinstance(row[i], int | float) or row[i] is None for row in kept)
        longest = max((cell_len(_cell(row[i])) for row in kept), default=0)
        unbroken = (numeric or name in whole) and longest <= MOST_UNBROKEN
        table.add_column(
            name,
            justify="right" if numeric and kept else "left",
            no_wrap=unbroken,
            overflow="fold",
            min_width=longest if unbroken else None,
        )
    for row in kept:
        table.add_row(*(_cell(value) for value in row))
    out.print(table)


def print_facts(title: str, facts: Mapping[str, object]) -> None:
    """Print names and values, one a line."""
    out.print(f"[bold]{title}[/bold]")
    for name, value in facts.items():
        out.print(f"  {name}: {_cell(value)}", markup=False)


def progress() -> Progress:
    """A progress bar on stderr that vanishes when done; silent where stderr is no terminal."""
    return Progress(
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=err,
        transient=True,
        disable=not err.is_terminal,
    )


def _cell(value: object) -> str:
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.3f}"
    if isinstance(value, int):
        return f"{value:,}"
    return str(value)
