"""`regulars customers lifetime-value`: what each customer will order and be worth."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from cli.customers.commands import customers
from cli.moment import AsOfOption, ConfigOption, config_for, inbox_of, moment_for
from cli.output import (
    HomeOption,
    JsonOption,
    err,
    print_facts,
    print_json,
    settings_for,
)


class ModelChoice(StrEnum):
    """Which model of bg_nbd."""

    auto = "auto"
    bg_nbd = "bg_nbd"
    mbg_nbd = "mbg_nbd"


class CountChoice(StrEnum):
    """What counts as one order."""

    day = "day"
    order = "order"


@customers.command("lifetime-value")
def lifetime_value(
    as_of: AsOfOption = None,
    model: Annotated[
        ModelChoice | None, typer.Option("--model", help="auto chooses by held-out likelihood; default as configured.")
    ] = None,
    count: Annotated[
        CountChoice | None, typer.Option("--count", help="day: orders of one day count once; order: each counts.")
    ] = None,
    config: ConfigOption = None,
    home: HomeOption = None,
    json: JsonOption = False,
) -> None:
    """Fit the lifetime-value model on everything known by a moment and print its parameters; time is in weeks.

    [bold]Examples[/bold]

      regulars customers lifetime-value --as-of 2026-03-01

      regulars customers lifetime-value --as-of 2026-03-01 --model bg_nbd --json
    """
    from dataclasses import replace  # noqa: PLC0415 - with the others below: heavy libraries, which help need not load

    from engine.customers.behaviour.purchases import order_days, read_purchases  # noqa: PLC0415
    from engine.customers.forecast.lifetime_value import fit_lifetime_model  # noqa: PLC0415
    from engine.history.opening import open_history  # noqa: PLC0415
    from engine.history.tables import read_table  # noqa: PLC0415

    settings = settings_for(home)
    chosen = config_for(settings, config).lifetime_value
    chosen = replace(chosen, model=model.value if model else chosen.model, count=count.value if count else chosen.count)
    with inbox_of(settings) as database:
        moment = moment_for(settings, as_of, database)
    purchases = read_purchases(open_history(settings).orders(), read_table(settings, "customers"), moment)
    fitted = fit_lifetime_model(order_days(purchases, count=chosen.count), moment.day, chosen)
    if json:
        print_json(fitted.as_json())
        return
    gamma = fitted.gamma_gamma
    print_facts(
        f"{fitted.bg_nbd.model} on {fitted.customers:,} customers as of {moment.date}, time in weeks",
        {
            **{name: getattr(fitted.bg_nbd, name) for name in ("r", "alpha", "a", "b")},
            "log likelihood": fitted.bg_nbd.log_likelihood,
            **({f"gamma-gamma {name}": getattr(gamma, name) for name in ("p", "q", "v")} if gamma else {}),
            **{f"held-out log likelihood per customer, {name}": value for name, value in fitted.held_out.items()},
        },
    )
    if fitted.note:
        err.print(f"note: {fitted.note}", markup=False)
