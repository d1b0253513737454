"""`regulars keys`: make, list and revoke the API keys of the service."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from sqlalchemy.orm import Session

from cli.app import app
from cli.output import HomeOption, JsonOption, actor, print_facts, print_json, print_table, settings_for
from engine.database.keys import SCOPES, create_key, list_keys, revoke_key
from engine.database.session import connect, transaction

keys = typer.Typer(no_args_is_help=True, rich_markup_mode="rich", help="Make, list and revoke API keys.")
app.add_typer(keys, name="keys")


@keys.command()
def create(
    scope: Annotated[list[str], typer.Option("--scope", help=f"What it may do; repeatable: {', '.join(SCOPES)}.")],
    name: Annotated[str, typer.Option("--name", help="Who or what will use it.")] = "",
    home: HomeOption = None,
    json: JsonOption = False,
) -> None:
    """Make a key and show it, this once: only its digest is kept.

    [bold]Examples[/bold]

      regulars keys create --scope recommend

      regulars keys create --scope recommend --scope events --name "ordering app" --json
    """
    now = datetime.now(UTC)
    with _session(home) as session:
        key_id, key = create_key(session, now, name=name, scopes=scope, actor=actor())
    scopes = sorted(set(scope))
    if json:
        print_json({"id": key_id, "key": key, "scopes": scopes})
    else:
        print_facts(
            "Key made; keep it now, it cannot be shown again", {"id": key_id, "key": key, "scopes": ", ".join(scopes)}
        )


@keys.command("list")
def list_(home: HomeOption = None, json: JsonOption = False) -> None:
    """List keys, revoked ones included; the keys themselves cannot be shown.

    [bold]Example[/bold]

      regulars keys list
    """
    with _session(home) as session:
        rows = [
            {
                "id": row.id,
                "name": row.name,
                "scopes": row.scopes.split(),
                "created_at": row.created_at.isoformat(),
                "revoked_at": row.revoked_at.isoformat() if row.revoked_at else None,
            }
            for row in list_keys(session)
        ]
    if json:
        print_json(rows)
    else:
        columns = ["id", "name", "scopes", "created_at", "revoked_at"]
        shown = [{**row, "scopes": " ".join(row["scopes"] or [])} for row in rows]
        print_table("API keys", columns, ([row[column] for column in columns] for row in shown), whole=["id"])


@keys.command()
def revoke(
    key_id: Annotated[str, typer.Argument(metavar="ID", help="The id that `regulars keys list` shows.")],
    home: HomeOption = None,
    json: JsonOption = False,
) -> None:
    """Close a key; running services refuse it within five seconds.

    [bold]Example[/bold]

      regulars keys revoke 3f9a1c2b4d5e
    """
    now = datetime.now(UTC)
    with _session(home) as session:
        revoke_key(session, now, key_id, actor=actor())
    if json:
        print_json({"id": key_id, "revoked": True})
    else:
        print_facts("Key revoked", {"id": key_id})


@contextmanager
def _session(home: Path | None) -> Iterator[Session]:
    engine = connect(settings_for(home))
    try:
        with transaction(engine) as session:
            yield session
    finally:
        engine.dispose()
