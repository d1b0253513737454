"""`regulars docs`: the reference, written from the code so that it cannot drift from it."""

from __future__ import annotations

import importlib
import json
import pkgutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Annotated, Any

import typer

import api
import campaigns
import cli
import engine
import training
from cli.app import app
from cli.output import HomeOption, JsonOption, print_facts, print_json
from engine.columns import CUSTOMER_COLUMNS, ITEM_COLUMNS, LINE_COLUMNS, OFFER_COLUMNS, ORDER_COLUMNS, VENDOR_COLUMNS
from engine.customers.columns import TABLE_COLUMNS
from engine.database.keys import SCOPES
from engine.errors import RegularsError
from engine.events.types import EVENT_TYPES
from engine.settings import describe_settings

docs = typer.Typer(no_args_is_help=True, hidden=True, help="Write the reference from the code.")
app.add_typer(docs, name="docs")

FOLDER = Path(__file__).resolve().parent.parent / "docs" / "reference"
HEAD = "<!-- Written by `make docs` from the code; change the code, not this page. -->\n\n"
TABLES = {
    "orders": ORDER_COLUMNS,
    "lines": LINE_COLUMNS,
    "customers": CUSTOMER_COLUMNS,
    "items": ITEM_COLUMNS,
    "vendors": VENDOR_COLUMNS,
    "offers": OFFER_COLUMNS,
}


@docs.command()
def write(
    folder: Annotated[Path, typer.Option("--folder", help="Where to write.")] = FOLDER,
    home: HomeOption = None,
    json: JsonOption = False,
) -> None:
    """Write every page of the reference.

    [bold]Example[/bold]

      regulars docs write
    """
    del home  # every command takes it; this one needs no home
    folder.mkdir(parents=True, exist_ok=True)
    for name, page in PAGES.items():
        (folder / name).write_text(page(), encoding="utf-8")
    if json:
        print_json({"folder": str(folder), "pages": sorted(PAGES)})
    else:
        print_facts(f"Wrote {len(PAGES)} pages", {"folder": folder})


def settings_page() -> str:
    """Return the page of settings."""
    rows = "".join(f"| `{name}` | {default} | {about} |\n" for name, default, about in describe_settings())
    return (
        f"{HEAD}# Settings\n\nRead from the environment when a command starts; `--home` wins over `REGULARS_HOME`.\n\n"
        f"| variable | default | meaning |\n|---|---|---|\n{rows}"
    )


def events_page() -> str:
    """Return the page of event types and their properties."""
    parts = [f"{HEAD}# Events\n\nWhat `POST /v1/events` takes; needed properties are **bold**.\n"]
    for name, declared in EVENT_TYPES.items():
        parts.append(f"\n## {name}\n\n{declared.about}\n\n")
        for each in sorted(declared.properties, key=lambda each: not each.required):
            key = f"**`{each.name}`**" if each.required else f"`{each.name}`"
            parts.append(f"- {key} {each.about}\n")
        example = {each.name: each.example for each in declared.properties if each.required}
        parts.append(f"\n```json\n{json.dumps({'type': name, 'properties': example})}\n```\n")
    return "".join(parts)


def errors_page() -> str:
    """Return the page of error codes."""
    rows = "".join(
        f"| `{error.code}` | {error.__name__} | {(error.__doc__ or '').splitlines()[0]} |\n" for error in error_tree()
    )
    http = (
        "\nThe service adds `malformed_json` (422: the body is not JSON in UTF-8), `too_large` (413: over 4 MiB), "
        "`method_not_allowed` (405), `internal` (500: a fault nobody foresaw, in the log under the answer's "
        "`request_id`) and, in `errors[]`, the validation code of every wrong field. `internal` is also what a command "
        "calls such a fault.\n"
    )
    head = f"{HEAD}# Error codes\n\nStable: scripts may rely on them.\n\n| code | error | meaning |\n|---|---|---|\n"
    return head + rows + http


def tables_page() -> str:
    """Return the page of canonical tables and scopes."""
    parts = [f"{HEAD}# Tables\n\nNeeded columns are **bold**; null means unknown, never zero.\n"]
    for name, columns in TABLES.items():
        parts.append(f"\n## {name}\n\n| column | type | meaning |\n|---|---|---|\n")
        for column in columns:
            shown = f"**`{column.name}`**" if column.required else f"`{column.name}`"
            kind = str(column.dtype).replace("|", "\\|")
            parts.append(f"| {shown} | {kind} | {column.about.replace('|', chr(92) + '|')} |\n")
    parts.append("\n## Scopes of API keys\n\n| scope | opens |\n|---|---|\n")
    parts += [f"| `{scope}` | {about} |\n" for scope, about in SCOPES.items()]
    return "".join(parts)


def customer_table_page() -> str:
    """Return the page of the customer table's columns, with unit and source."""
    rows = "".join(f"| `{c.name}` | {c.dtype} | {c.unit} | {c.source} | {c.about} |\n" for c in TABLE_COLUMNS)
    head = (
        "One row per customer, from `regulars customers build` or `table`. Null is unknown or not applicable, never 0."
    )
    table = "| column | type | unit | source | meaning |\n|---|---|---|---|---|\n"
    return f"{HEAD}# The customer table\n\n{head}\n\n{table}{rows}"


def models_page() -> str:
    """Return the page of what `tuned.yaml` may set."""
    from training.learn.ranker import Growing  # noqa: PLC0415 - the same
    from training.learn.settings import ModelSettings, tunables  # noqa: PLC0415 - the same
    from training.learn.stack import models_of  # noqa: PLC0415 - loads scipy and LightGBM

    parts = [
        f"{HEAD}# Settings of the models\n\n`tuned.yaml` in the home sets them, under `models`; `regulars tune` "
        "searches them within these bounds. See [quality](../guides/quality.md).\n"
    ]
    defaults: dict[str, list[object]] = {model.name: [model] for model in models_of(ModelSettings())}
    defaults["ranker"] = [Growing(), Growing.of({}, thorough=True)]
    for name, stated in defaults.items():
        if name not in tunables():
            continue
        parts.append(f"\n## {name}\n\n| setting | default | from | to | meaning |\n|---|---|---|---|---|\n")
        for key, knob in tunables()[name].items():
            # Unsorted: the first is the common one.
            values = " or ".join(dict.fromkeys(f"{getattr(each, key):g}" for each in stated))
            parts.append(f"| `{key}` | {values} | {knob.low:g} | {knob.high:g} | {knob.about} |\n")
    parts.append("\nOf two defaults of the ranker the second holds in histories of up to 100,000 baskets.\n")
    return "".join(parts)


def cli_page() -> str:
    """Return the page of commands, their arguments and options."""
    root = typer.main.get_command(app)
    parts = [f"{HEAD}# Commands\n\nEvery command takes `--home DIR` and `--json`; `--help` shows examples.\n"]
    parts += [_command(path, command) for path, command in commands(root, "regulars")]
    return "".join(parts)


def commands(command: Any, path: str) -> Iterator[tuple[str, Any]]:
    """Yield (full name, command) of every visible command below `command` (typer's classes have no public types)."""
    children = getattr(command, "commands", None)
    if children is None:
        yield path, command
        return
    for name in sorted(children):
        if not children[name].hidden:
            yield from commands(children[name], f"{path} {name}")


def error_tree() -> list[type[RegularsError]]:
    """Return every error class of the house, by code."""
    for room in (engine, training, campaigns, api, cli):
        for module in pkgutil.walk_packages(room.__path__, f"{room.__name__}."):
            if "migrations" not in module.name:
                importlib.import_module(module.name)
    found: dict[str, type[RegularsError]] = {}
    waiting: list[type[RegularsError]] = [RegularsError]
    while waiting:
        error = waiting.pop()
        found.setdefault(error.code, error)
        waiting += error.__subclasses__()
    return [found[code] for code in sorted(found)]


def _command(path: str, command: Any) -> str:
    lines = [line.strip() for line in (command.help or "").splitlines()]
    lines = [f"`{line}`" if line.startswith(("regulars ", "REGULARS_")) else line for line in lines]
    text = "\n".join(lines).replace("[bold]", "**").replace("[/bold]", "**")
    rows = []
    for parameter in command.params:
        if parameter.name in {"home", "json", "help"}:
            continue
        names = (
            parameter.opts if parameter.param_type_name == "option" else [parameter.metavar or parameter.name.upper()]
        )
        about = str(getattr(parameter, "help", "") or "").replace("|", "\\|")
        rows.append(f"| `{', '.join(names)}` | {about} |\n")
    table = f"\n| argument | meaning |\n|---|---|\n{''.join(rows)}" if rows else ""
    return f"\n## `{path}`\n\n{text}\n{table}"


PAGES: dict[str, Callable[[], str]] = {
    "settings.md": settings_page,
    "events.md": events_page,
    "errors.md": errors_page,
    "tables.md": tables_page,
    "customer_table.md": customer_table_page,
    "models.md": models_page,
    "cli.md": cli_page,
}
