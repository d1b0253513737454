"""`regulars experiments`: are the intervals honest, and what does any trial show?"""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli.app import app
from cli.output import HomeOption, JsonOption, print_facts, print_json, print_table, progress
from engine.errors import BadFile, BadRequest, MissingFile

if TYPE_CHECKING:
    import polars as pl

experiments = typer.Typer(no_args_is_help=True, help="Simulate what intervals promise, and analyse any trial.")
app.add_typer(experiments, name="experiments")


@experiments.command("aa")
def simulate_campaigns(
    customers: Annotated[
        int, typer.Option("--customers", min=20, max=1_000_000, help="Customers of a campaign.")
    ] = 2_000,
    holdout: Annotated[float, typer.Option("--holdout", min=0.001, max=0.9, help="Share left alone.")] = 0.1,
    days: Annotated[int, typer.Option("--days", min=1, max=365, help="Days of the window, one look each.")] = 14,
    rate: Annotated[
        float, typer.Option("--rate", min=1e-6, max=10.0, help="Orders a customer and day, on average.")
    ] = 0.01,
    metric: Annotated[str, typer.Option("--metric", help="orders or spend (log-normal).")] = "orders",
    campaigns: Annotated[int, typer.Option("--campaigns", min=1, max=100_000, help="How many are simulated.")] = 300,
    effect: Annotated[
        float, typer.Option("--effect", min=-0.9, max=10.0, help="Share by which treatment raises orders; 0 is A/A.")
    ] = 0.0,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Equal seed, equal campaigns.")] = 0,
    home: HomeOption = None,
    json: JsonOption = False,
) -> None:
    """Simulate campaigns of known effect, look at them every day, and count how often the interval was wrong.

    [bold]Examples[/bold]

      regulars experiments aa --customers 2000 --holdout .05 --rate .01

      regulars experiments aa --customers 5000 --metric spend --campaigns 1000 --json
    """
    from engine.experiments.simulation import SIMULATED_METRICS, SimulationPlan, simulate_promise  # noqa: PLC0415

    chosen = next((each for each in SIMULATED_METRICS if each == metric), None)
    if chosen is None:
        raise BadRequest(f"{metric!r} is no metric; valid are {', '.join(SIMULATED_METRICS)}", where="--metric")
    plan = SimulationPlan(customers=customers, holdout=holdout, days=days, rate=rate, metric=chosen, effect=effect)
    with progress() as bar:
        task = bar.add_task("campaigns", total=campaigns)
        kept = simulate_promise(
            plan, campaigns=campaigns, seed=seed, report=lambda done: bar.update(task, completed=done)
        )
    figures = {
        "false_positive_any_look": kept.false_positive_any_look,
        "false_positive_last": kept.false_positive_last,
        "coverage_all_looks": kept.coverage_all_looks,
        "width_ratio": kept.width_ratio,
        "without_statement": kept.silent,
        "campaigns": kept.campaigns,
        "plan": asdict(plan),
    }
    if json:
        print_json(figures)
        return
    print_facts(f"{campaigns:,} campaigns of {customers:,} customers, a look a day for {days} days", figures)


@experiments.command("analyse")
def analyse_file(
    file: Annotated[Path, typer.Argument(help="CSV or Parquet: a row per customer, or per customer and day.")],
    arm: Annotated[str, typer.Option("--arm", help="Column with the arm.")],
    outcome: Annotated[str, typer.Option("--outcome", help="Column with the outcome; empty means 0.")],
    before: Annotated[
        str | None, typer.Option("--before", help="Columns known before the decision, separated by commas.")
    ] = None,
    day: Annotated[
        str | None, typer.Option("--day", help="Column with the day of the outcome, 1 the first after the decision.")
    ] = None,
    customer: Annotated[
        str | None, typer.Option("--customer", help="Column that joins the rows of one customer.")
    ] = None,
    entered: Annotated[
        str | None, typer.Option("--entered", help="Column that orders customers who arrived over time.")
    ] = None,
    window_days: Annotated[int | None, typer.Option("--window-days", min=1, help="Planned days of the window.")] = None,
    held_out: Annotated[str | None, typer.Option("--held-out", help="Value of the arm that was left alone.")] = None,
    holdout: Annotated[
        float | None,
        typer.Option("--holdout", min=0.0001, max=0.9999, help="Share it was drawn with; checks the sizes."),
    ] = None,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Equal seed, equal intervals.")] = 0,
    home: HomeOption = None,
    json: JsonOption = False,
) -> None:
    """Say what a randomised trial showed: treated minus held-out per customer, with its 95 % interval.

    [bold]Examples[/bold]

      regulars experiments analyse trial.csv --arm arm --outcome orders

      regulars experiments analyse days.parquet --arm arm --outcome spend --customer id --day day --json
    """
    from engine.experiments.analysis import TrialColumns, analyse  # noqa: PLC0415

    columns = TrialColumns(
        arm=arm,
        outcome=outcome,
        before=tuple(name.strip() for name in (before or "").split(",") if name.strip()),
        day=day,
        customer=customer,
        entered=entered,
    )
    found = analyse(_table(file), columns, held_out=held_out, holdout=holdout, window_days=window_days, seed=seed)
    if json:
        print_json(asdict(found))
        return
    if found.looks:
        shown = [look for look in found.looks if look.enough]
        print_table(
            "Treated minus held-out per customer, up to each day",
            ["day", "estimate", "low", "high"],
            [[look.day, look.estimate, look.low, look.high] for look in shown],
        )
    facts = {name: value for name, value in asdict(found).items() if name not in {"looks", "sample_ratio"}}
    if found.sample_ratio:
        facts["sample ratio"] = "alarm: the arms are not as they were drawn" if found.sample_ratio.alarm else "as drawn"
    print_facts(str(file), facts)


def _table(file: Path) -> pl.DataFrame:
    import polars as pl  # noqa: PLC0415 - the rest of the command line need not wait for it

    if not file.is_file():
        raise MissingFile("no such file", where=str(file))
    try:
        if file.suffix == ".parquet":
            return pl.read_parquet(file)
        return pl.read_csv(file, infer_schema=False, null_values=[""])
    except (pl.exceptions.PolarsError, OSError) as error:
        raise BadFile(f"cannot be read as a table ({str(error).splitlines()[0]})", where=str(file)) from error
