"""`regulars train`, `regulars evaluate` and `regulars artifacts`: learn, judge, and choose what is served."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

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
from engine.artifact import activate, live_version, manifest_of, versions
from engine.audit import record
from engine.compaction import compact_inbox
from engine.customers.store import build_customer_table, is_current
from engine.customers.table import Built
from engine.database import connect, transaction
from engine.errors import InputError
from engine.settings import Settings

artifacts = typer.Typer(no_args_is_help=True, help="List published versions and choose the one that is served.")
app.add_typer(artifacts, name="artifacts")

HorizonOption = Annotated[
    str, typer.Option("--horizon", help="How much of the newest history judges the models, e.g. 28d or 4w.")
]
SeedOption = Annotated[int, typer.Option("--seed", min=0, help="Equal seed and history give equal models.")]
SHOWN = {
    "recall": "recall",
    "ndcg": "ndcg",
    "hit": "hit",
    "repeat_recall": "repeat",
    "explore_recall": "explore",
    "coverage": "coverage",
    "novelty": "novelty",
}


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

    [bold]Examples[/bold]

      regulars train

      regulars train --home shop --horizon 4w --json
    """
    from training import run  # noqa: PLC0415 - loads scipy and implicit, which other verbs need not wait for

    settings = settings_for(home)
    horizon_days = _days(horizon)
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
            if done.published or not is_current(settings, engine):
                table = build_customer_table(
                    settings,
                    now=now,
                    report=lambda step: bar.update(task, description=f"customer table: {step}"),
                    database=engine,
                )
        with transaction(engine) as session:
            outcome = {"published": done.published, "unchanged": done.unchanged, "forced": force}
            record(session, now, actor=actor(), action="train", target=done.version, detail=outcome)
    finally:
        engine.dispose()
    if json:
        verdict = done.verdict
        print_json(
            {
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
        )
        return
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


@app.command()
def evaluate(
    home: HomeOption = None,
    horizon: HorizonOption = "28d",
    future: Annotated[
        Path | None,
        typer.Option(
            "--future", help="File with customer_id, item_id and, optionally, the order's context, to judge by."
        ),
    ] = None,
    k: Annotated[int, typer.Option("--k", min=1, max=1000, help="Length of the judged lists.")] = 10,
    seed: SeedOption = 0,
    json: JsonOption = False,
) -> None:
    """Judge every model and the served blend on orders they have not seen.

    Without --future the newest stretch of history is held out; with it, all of history is learned from and the file
    says what came next. Nothing is published.

    [bold]Examples[/bold]

      regulars evaluate --horizon 28d

      regulars evaluate --future next_orders.csv --k 10 --json
    """
    from training import judging  # noqa: PLC0415 - loads scipy and implicit

    settings = settings_for(home)
    horizon_days = _days(horizon)
    with progress() as bar:
        task = bar.add_task("evaluate", total=None)
        found = judging.evaluate_home(
            settings,
            horizon_days=horizon_days,
            future=future,
            k=k,
            seed=seed,
            report=lambda step: bar.update(task, description=step),
        )
    if json:
        print_json(found)
    else:
        print_quality(found, f"Quality {found['protocol']}")


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
        print_table("Artifacts", columns, ([row[column] for column in columns] for row in rows))


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


def print_quality(found: dict[str, Any], title: str) -> None:
    """Print figures by model, the 95 % interval of the main one, and the blend against the best single model."""
    k = found["k"]
    columns = ["model", *SHOWN.values(), "± 95 %"]
    rows = []
    for name, figures in found["models"].items():
        low_high = found["intervals"][name][f"ndcg@{k}"]
        shown = f"{(low_high[1] - low_high[0]) / 2:.3f}" if low_high else None
        label = f"{name} *" if name == found["served"] else name
        rows.append([label, *(figures[f"{metric}@{k}"] for metric in SHOWN), shown])
    print_table(f"{title}: {found['customers']:,} customers, {found['new']:,} of them new", columns, rows)
    out.print(
        f"All at {k}. repeat, explore: recall of dishes ordered before, and of new ones; ± is on ndcg; * is served."
    )


def _table_facts(built: Built | None) -> dict[str, Any] | None:
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


def _days(text: str) -> float:
    found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([dw]?)", text.strip().lower())
    days = float(found[1]) * (7 if found[2] == "w" else 1) if found else 0.0
    if not 0 < days <= 3650:
        raise InputError(f"{text!r} is not a span such as 28d or 4w", where="--horizon")
    return days
