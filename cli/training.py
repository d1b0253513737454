"""`regulars train` and `regulars artifacts`: learn, publish, and choose what is served."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli.app import app
from cli.judged import HorizonOption, SeedOption, days_of, print_quality
from cli.output import (
    HomeOption,
    JsonOption,
    actor,
    err,
    print_facts,
    print_json,
    print_table,
    progress,
    settings_for,
    settings_of_home,
)
from engine.artifact import activate, live_version, manifest_of, versions
from engine.customers.store import build_customer_table, is_table_current
from engine.customers.table import CustomerTable
from engine.database.audit import record
from engine.database.session import connect, transaction
from engine.errors import CandidateRefused
from engine.history.compaction import compact_inbox
from engine.settings import Settings

if TYPE_CHECKING:
    from training.run import Trained

artifacts = typer.Typer(no_args_is_help=True, help="List published versions and choose the one that is served.")
app.add_typer(artifacts, name="artifacts")


@app.command()
def train(
    home: HomeOption = None,
    horizon: HorizonOption = "28d",
    seed: SeedOption = 0,
    force: Annotated[
        bool, typer.Option("--force", help="Train though nothing changed, and publish what the gate refuses.")
    ] = False,
    json: JsonOption = False,
) -> None:
    """Learn from the order history, judge on its newest stretch, and publish if the gate agrees.

    If it does not, the exit code is 1, and --json prints the refused candidate's problems and evaluation.

    [bold]Examples[/bold]

      regulars train

      regulars train --home shop --horizon 4w --json
    """
    from training import run  # noqa: PLC0415 - loads scipy and LightGBM, which other verbs need not wait for

    settings = settings_of_home(home)
    horizon_days = days_of(horizon)
    now = datetime.now(UTC)
    engine = connect(settings)
    try:
        inbox_through = compact_inbox(engine, settings)
        with progress() as bar:
            task = bar.add_task("train", total=None)
            done = run.train(
                settings,
                now=now,
                horizon_days=horizon_days,
                seed=seed,
                force=force,
                inbox_through=inbox_through,
                report=lambda step: bar.update(task, description=step),
            )
            table = None
            if done.published or not is_table_current(settings, engine):
                table = build_customer_table(
                    settings,
                    now=now,
                    report=lambda step: bar.update(task, description=f"customer table: {step}"),
                    database=engine,
                )
        with transaction(engine) as session:
            outcome = {"published": done.published, "unchanged": done.unchanged, "forced": force}
            record(session, now, actor=actor(), action="train", target=done.version, detail=outcome)
    except CandidateRefused as refused:
        if json:
            print_json(_refusal(refused))
        raise
    finally:
        engine.dispose()
    if json:
        print_json(_as_dict(done, table))
    else:
        _print(done, table)


def _as_dict(done: Trained, table: CustomerTable | None) -> dict[str, Any]:
    verdict = done.verdict
    return {
        "version": done.version,
        "published": done.published,
        "unchanged": done.unchanged,
        "problems": list(verdict.problems) if verdict else [],
        "notes": list(verdict.notes) if verdict else [],
        "weights": done.manifest["weights"],
        "data": done.manifest["data"],
        "evaluation": done.manifest["evaluation"],
        "customer_table": _table_facts(table),
    }


def _refusal(refused: CandidateRefused) -> dict[str, Any]:
    """Return what `_as_dict` does, of a candidate that has no version because it was not published."""
    manifest = refused.manifest
    return {
        "version": None,
        "published": False,
        "unchanged": False,
        "problems": list(refused.problems),
        "notes": list(refused.notes),
        "weights": manifest["weights"],
        "data": manifest["data"],
        "evaluation": manifest["evaluation"],
        "customer_table": None,
    }


def _print(done: Trained, table: CustomerTable | None) -> None:
    if done.unchanged:
        print_facts(
            f"{done.version} stays live: nothing new since it was trained",
            {"train anyway with": "regulars train --force"},
        )
        return
    data = done.manifest["data"]
    print_facts(
        f"Published {done.version}",
        {key: data[key] for key in ("customers", "items", "baskets", "first_at", "last_at")}
        | {"weights": ", ".join(f"{name} {weight:.2f}" for name, weight in done.manifest["weights"].items())},
    )
    if table:
        print_facts("Customer table", _table_facts(table) or {})
    for line in (*(done.verdict.problems if done.verdict else ()), *(done.verdict.notes if done.verdict else ())):
        err.print(f"note: {line}", markup=False)
    if done.manifest["evaluation"]:
        print_quality(done.manifest["evaluation"], "Quality on the newest stretch, which no judged model saw")


@artifacts.command("list")
def list_artifacts(home: HomeOption = None, json: JsonOption = False) -> None:
    """List published versions, the live one marked.

    [bold]Example[/bold]

      regulars artifacts list --json
    """
    settings = settings_for(home)
    root = settings.artifacts_folder
    live = live_version(root)
    rows = [_described(settings, version) | {"live": version == live} for version in versions(root)]
    if json:
        print_json(rows)
    else:
        columns = ["version", "live", "created_at", "customers", "items", "ndcg@10"]
        shown = [row | {"created_at": row["created_at"][:16].replace("T", " ")} for row in rows]
        print_table("Artifacts", columns, ([row[name] for name in columns] for row in shown), whole=["version"])


@artifacts.command("activate")
def activate_artifact(
    version: Annotated[str, typer.Argument(help="A version that `regulars artifacts list` shows.")],
    home: HomeOption = None,
    json: JsonOption = False,
) -> None:
    """Serve another published version; running services swap to it within seconds.

    [bold]Example[/bold]

      regulars artifacts activate 20260101T000000000000Z
    """
    settings = settings_for(home)
    before = live_version(settings.artifacts_folder)
    activate(settings.artifacts_folder, version)
    engine = connect(settings)
    try:
        with transaction(engine) as session:
            record(session, datetime.now(UTC), actor=actor(), action="activate", target=version, detail={"was": before})
    finally:
        engine.dispose()
    if json:
        print_json({"live": version, "was": before})
    else:
        print_facts(f"{version} is live", {"was": before})


def _table_facts(built: CustomerTable | None) -> dict[str, Any] | None:
    """Return what a built customer table covers; None where it was left as it was."""
    return {name: built.facts[name] for name in ("as_of", "customers", "orders", "horizon_days")} if built else None


def _described(settings: Settings, version: str) -> dict[str, Any]:
    manifest = manifest_of(settings.artifacts_folder, version)
    evaluation = manifest["evaluation"]
    return {
        "version": version,
        "created_at": manifest["created_at"],
        "customers": manifest["data"]["customers"],
        "items": manifest["data"]["items"],
        "ndcg@10": evaluation["models"][evaluation["served"]]["ndcg@10"] if evaluation else None,
    }
