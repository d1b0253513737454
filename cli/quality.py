"""`regulars evaluate`: how good are the recommendations, for whom, and beside what?"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from cli.app import app
from cli.judged import HorizonOption, SeedOption, days_of, print_quality
from cli.output import HomeOption, JsonOption, out, print_facts, print_json, print_table, progress, settings_of_home
from engine.database.session import connect
from engine.errors import InputError
from engine.language import LANGUAGES
from engine.settings import Settings


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
    logged: Annotated[
        bool, typer.Option("--logged", help="Estimate from the lists that were shown, too; not with --future.")
    ] = False,
    within: Annotated[
        str, typer.Option("--within", help="With --logged: how long after it was shown an order counts, e.g. 7d.")
    ] = "7d",
    report: Annotated[
        Path | None, typer.Option("--report", help="Write the result as one HTML page with charts, too.")
    ] = None,
    language: Annotated[str, typer.Option("--language", help="Language of the page: en or zh.")] = "en",
    json: JsonOption = False,
) -> None:
    """Judge every model and what is served on orders they have not seen, as a whole and group by group.

    Without --future the newest stretch of history is held out; with it, all of history is learned from and the file
    says what came next. Nothing is published.

    [bold]Examples[/bold]

      regulars evaluate --horizon 28d

      regulars evaluate --report quality.html --language zh

      regulars evaluate --logged --within 3d

      regulars evaluate --future next_orders.csv --k 10 --json
    """
    from training.report.page import write_report  # noqa: PLC0415 - loads scipy and LightGBM

    _check(language, report, logged=logged, future=future)
    found = _judge(
        settings_of_home(home),
        logged=logged,
        horizon_days=days_of(horizon),
        within_days=days_of(within, where="--within"),
        future=future,
        k=k,
        seed=seed,
    )
    if report is not None:
        write_report(report, found, language=language)
    if json:
        print_json(found)
        return
    _print_all(found)
    if report is not None:
        print_facts("Wrote the report", {"page": report})


def _check(language: str, report: Path | None, *, logged: bool, future: Path | None) -> None:
    """Refuse before minutes are spent what could only be refused after them. Raises InputError."""
    from training.report.page import check_writable  # noqa: PLC0415 - loads scipy and LightGBM

    if language not in LANGUAGES:
        raise InputError(f"{language!r} is no language of the page; use {' or '.join(LANGUAGES)}", where="--language")
    if report is not None:
        check_writable(report)
    if logged and future is not None:
        raise InputError("a file of what came next has no log; leave out --future", where="--logged")


def _print_all(found: Mapping[str, Any]) -> None:
    from training.judge.logged import sentences  # noqa: PLC0415 - loads scipy and LightGBM

    print_quality(found, f"Quality {found['protocol']}")
    print_groups(found)
    for line in sentences(found["logged"]) if found["logged"] else ():
        out.print(line, markup=False)


def _judge(settings: Settings, *, logged: bool, **how: Any) -> dict[str, Any]:
    """Evaluate with a progress bar; `how` goes to `evaluate_home` as it is."""
    from training import evaluate_home as judging  # noqa: PLC0415 - loads scipy and LightGBM

    log = connect(settings) if logged else None
    try:
        with progress() as bar:
            task = bar.add_task("evaluate", total=None)
            return judging.evaluate_home(
                settings, log=log, now=datetime.now(UTC), report=lambda step: bar.update(task, description=step), **how
            )
    finally:
        if log is not None:
            log.dispose()


def print_groups(found: Mapping[str, Any]) -> None:
    """Print what is served, group by group, with 95 % intervals and the model of its own that presses it hardest."""
    k = found["k"]
    rows = []
    for group in found["groups"]:
        figures, bounds = group["figures"], group["intervals"][f"ndcg@{k}"]
        hardest = group["hardest_single"]
        rows.append(
            [
                f"{group['kind']} {group['name']}",
                group["customers"],
                *(figures[f"{metric}@{k}"] for metric in ("recall", "hit", "ndcg")),
                f"{(bounds[1] - bounds[0]) / 2:.3f}" if bounds else None,
                f"{hardest['difference']:+.3f} {hardest['model']}" if hardest else None,
            ]
        )
    print_table(
        f"What is served ({found['served']}), group by group",
        ["group", "n", "recall", "hit", "ndcg", "± 95 %", "above its own"],
        rows,
    )
    out.print("above its own: ndcg above the single model that comes nearest, or beats it most surely, in the group.")
