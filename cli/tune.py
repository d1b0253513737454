"""`regulars tune`: search the settings of models and ranker within a time budget, and adopt what is surely better."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli.app import app
from cli.judged import HorizonOption, SeedOption, days_of
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
    settings_of_home,
)
from engine.database.audit import record
from engine.database.session import connect, transaction
from engine.settings import Settings

if TYPE_CHECKING:
    from training.tune.search import Found, Step, Tuned


@app.command()
def tune(
    home: HomeOption = None,
    minutes: Annotated[
        float, typer.Option("--minutes", min=0, max=10_080, help="Start no new trial after so long.")
    ] = 10.0,
    trials: Annotated[
        int | None, typer.Option("--trials", min=1, help="Stop after so many new trials, too.", show_default=False)
    ] = None,
    horizon: HorizonOption = "28d",
    seed: SeedOption = 0,
    json: JsonOption = False,
) -> None:
    """Search the settings of models and ranker on older history, and let `regulars train` use what is surely better.

    Two thirds of the time go to the models: each trial changes one and judges the learned blend by ndcg@10. The rest
    goes to how the ranker's trees grow. Stop it with Ctrl-C and start it again: it goes on where it was. Only settings
    that beat the defaults for customers no trial saw are written to tuned.yaml.

    [bold]Examples[/bold]

      regulars tune --minutes 30

      regulars tune --trials 50 --seed 1 --json
    """
    from training.learn.settings import FILE  # noqa: PLC0415 - the same
    from training.tune import search  # noqa: PLC0415 - loads optuna, scipy and LightGBM

    settings, horizon_days = settings_of_home(home), days_of(horizon)
    now = datetime.now(UTC)
    found = _searched(settings, now=now, minutes=minutes, most_trials=trials, horizon_days=horizon_days, seed=seed)
    changed = search.changes(found.settings, thorough=found.thorough)
    engine = connect(settings)
    try:
        with transaction(engine) as session:
            detail = {"adopted": found.adopted, "trials": found.trials, "settings": found.settings.as_dict()}
            record(session, now, actor=actor(), action="tune", target=FILE, detail=detail)
    finally:
        engine.dispose()
    if json:
        print_json(_as_dict(found, changed) | {"file": str(settings.home / FILE) if found.adopted else None})
        return
    _print(found, changed)


def _searched(settings: Settings, *, minutes: float, **how: Any) -> Tuned:
    """Search with a progress bar; `how` goes to `training.tune.search.tune` as it is. Stopped, it says what is kept."""
    from training.tune import search  # noqa: PLC0415 - loads optuna, scipy and LightGBM

    complete: dict[str, int] = {}
    with progress() as bar:
        task = bar.add_task("read history", total=round(60 * minutes))

        def tell(step: Step) -> None:
            complete[step.of] = step.trials
            told = f"{step.of}, trial {step.trials}: best ndcg@10 {step.best:.4f}"
            bar.update(task, completed=int(step.seconds), description=told)

        try:
            return search.tune(settings, minutes=minutes, report=tell, **how)
        except KeyboardInterrupt:
            kept = f"{sum(complete.values()):,} complete trials are" if complete else "all complete trials are"
            err.print(f"{kept} kept: the same command goes on from there", markup=False)
            raise


def _print(found: Tuned, changed: list[tuple[str, str, float, float]]) -> None:
    facts = {"ndcg@10 of the defaults": found.models.default_value, "ndcg@10 of the best": found.models.best_value}
    if found.ranker:
        facts |= {
            "ndcg@10 of the ranker's defaults": found.ranker.default_value,
            "ndcg@10 of the ranker's best": found.ranker.best_value,
        }
    print_facts(f"{found.trials:,} trials, {found.trials - found.resumed_from:,} of them now", facts)
    if changed:
        print_table("The best found", ["model", "setting", "default", "found"], changed)
    out.print(f"Models: {_verdict(found.models)}", markup=False)
    if found.ranker:
        out.print(f"Ranker: {_verdict(found.ranker)}", markup=False)
    else:
        out.print("Ranker: not searched; it takes 1,600 customers who came back, and 3 trials or more.", markup=False)
    if found.adopted:
        out.print("Now run: regulars train", markup=False)


def _verdict(found: Found) -> str:
    sure = found.confirmed
    if sure is None:
        return "no trial beat the defaults; nothing is changed. More --minutes may find better."
    low, high = sure.interval
    compared = (
        f"for {sure.customers:,} customers no trial saw, ndcg@10 {sure.difference:+.4f} on the defaults' "
        f"{sure.default:.4f} ({100 * (1 - sure.level):.4g} % interval {low:+.4f} to {high:+.4f})"
    )
    if found.sure:
        return f"adopted in tuned.yaml: {compared}."
    return f"not adopted, since it may be luck: {compared}. More --minutes or more history may tell."


def _as_dict(found: Tuned, changed: list[tuple[str, str, float, float]]) -> dict[str, Any]:
    return {
        "adopted": found.adopted,
        "trials": found.trials,
        "resumed_from": found.resumed_from,
        **_search(found.models),
        "ranker": None if found.ranker is None else _search(found.ranker),
        "settings": found.settings.as_dict(),
        "changed": [dict(zip(("model", "setting", "default", "found"), each, strict=True)) for each in changed],
    }


def _search(found: Found) -> dict[str, Any]:
    return {
        "search": {"default": found.default_value, "best": found.best_value, "trials": found.trials},
        "confirmed": asdict(found.confirmed) if found.confirmed else None,
    }
