"""`regulars customers`: who is who, and what to expect of them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli.app import app
from cli.customers.show import plain_value, print_stored
from cli.moment import AsOfOption, ConfigOption, config_for, inbox_of, moment_for
from cli.output import (
    HomeOption,
    JsonOption,
    actor,
    print_facts,
    print_json,
    print_table,
    progress,
    settings_for,
)

if TYPE_CHECKING:
    from collections.abc import Callable


customers = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode="rich",
    help="Know every customer: the table, lifetime value, groups, and why the customer is in each.",
)
app.add_typer(customers, name="customers")

HorizonOption = Annotated[
    int | None,
    typer.Option("--horizon-days", help="How far ahead, 1 to 3650; default 90, or as configured."),
]
HISTORY_SHOWN = 10
LONGEST_HORIZON_DAYS = 3_650


class GroupColumn(StrEnum):
    """Which groups to compare."""

    rfm_group = "rfm_group"
    lifecycle = "lifecycle"
    tier = "tier"
    abcd = "abcd"


@customers.command()
def table(
    out_file: Annotated[Path, typer.Option("--out", help="Parquet file to write.", show_default=False)],
    as_of: AsOfOption = None,
    horizon_days: HorizonOption = None,
    config: ConfigOption = None,
    home: HomeOption = None,
    json: JsonOption = False,
) -> None:
    """Write the whole customer table as of a moment to a file; nothing in the home changes.

    Example: [bold]regulars customers table --as-of 2026-03-01 --horizon-days 28 --out customers.parquet[/bold]
    """
    from engine.customers.store import compute_customer_table  # noqa: PLC0415
    from engine.errors import BadFile  # noqa: PLC0415

    settings = settings_for(home)
    _check_horizon(horizon_days)
    chosen = config_for(settings, config)
    with inbox_of(settings) as database, _bar() as report:
        built = compute_customer_table(
            settings,
            moment_for(settings, as_of, database),
            horizon_days=horizon_days,
            config=chosen,
            report=report,
            database=database,
        )
    try:
        out_file.parent.mkdir(parents=True, exist_ok=True)
        built.table.write_parquet(out_file, compression="zstd")
    except OSError as error:
        raise BadFile(f"cannot be written: {error.strerror}; choose another --out", where=str(out_file)) from error
    print_stored(built.facts | {"out": str(out_file), "columns": len(built.table.columns)}, json)


@customers.command()
def build(
    as_of: AsOfOption = None,
    horizon_days: HorizonOption = None,
    config: ConfigOption = None,
    home: HomeOption = None,
    json: JsonOption = False,
) -> None:
    """Build the customer table and keep it in the home, with its data window, models and calibration figures.

    Orders, ratings, survey answers and complaints told by event until now count.

    Example: [bold]regulars customers build --as-of 2026-03-01T04:00:00Z[/bold]
    """
    from engine.customers.store import build_customer_table  # noqa: PLC0415
    from engine.database.audit import record  # noqa: PLC0415
    from engine.database.session import connect, transaction  # noqa: PLC0415
    from engine.history.compaction import compact_inbox  # noqa: PLC0415

    settings = settings_for(home)
    _check_horizon(horizon_days)
    now = datetime.now(UTC)
    chosen = config_for(settings, config)
    database = connect(settings)
    try:
        compact_inbox(database, settings)
        with _bar() as report:
            built = build_customer_table(
                settings,
                now=now,
                as_of=moment_for(settings, as_of, database),
                horizon_days=horizon_days,
                config=chosen,
                report=report,
                database=database,
            )
        with transaction(database) as session:
            detail = {name: built.facts[name] for name in ("as_of", "customers", "orders", "horizon_days")}
            record(session, now, actor=actor(), action="customers.build", target="customer_table", detail=detail)
    finally:
        database.dispose()
    print_stored(built.facts, json)


@customers.command()
def show(
    customer_id: Annotated[str, typer.Argument(help="As orders name them.", show_default=False)],
    config: ConfigOption = None,
    home: HomeOption = None,
    json: JsonOption = False,
) -> None:
    """Show one customer whole, from the table built last: figures, groups, dates, history, and why.

    Example: [bold]regulars customers show 8213[/bold]
    """
    from engine.customers.profile import customer_profile  # noqa: PLC0415

    settings = settings_for(home)
    found = customer_profile(settings, customer_id, config_for(settings, config), last_orders=HISTORY_SHOWN)
    if json:
        print_json(found)
        return
    figures = found["figures"]
    print_facts(
        f"{customer_id} as of {found['as_of']}", {k: plain_value(v) for k, v in figures.items() if v is not None}
    )
    print_facts("Why", found["why"])
    history = found["history"]
    print_table(
        f"Latest {len(history)} orders",
        ["at", "order", "status", "vendor", "amount, minor units", "rating"],
        [[o["ordered_at"], o["order_id"], o["status"], o["vendor_id"], o["order_cents"], o["rating"]] for o in history],
        whole=["order"],
    )


@customers.command()
def transitions(
    from_date: Annotated[str, typer.Option("--from", help="The earlier date or instant.", show_default=False)],
    to_date: Annotated[str, typer.Option("--to", help="The later one.", show_default=False)],
    by: Annotated[GroupColumn, typer.Option("--by", help="Which groups to compare.")] = GroupColumn.rfm_group,
    config: ConfigOption = None,
    home: HomeOption = None,
    json: JsonOption = False,
) -> None:
    """Show who moved from which group to which between two dates.

    Example: [bold]regulars customers transitions --from 2026-02-01 --to 2026-03-01 --by lifecycle[/bold]
    """
    from engine.customers.moment import read_moment  # noqa: PLC0415
    from engine.customers.store import table_sources  # noqa: PLC0415
    from engine.customers.table import customer_groups  # noqa: PLC0415
    from engine.customers.value.rfm import group_transitions as moved  # noqa: PLC0415
    from engine.errors import BadRequest  # noqa: PLC0415

    settings = settings_for(home)
    moments = [
        read_moment(text, settings.timezone, where=name) for text, name in ((from_date, "--from"), (to_date, "--to"))
    ]
    if moments[0].at >= moments[1].at:
        raise BadRequest("must be later than --from", where="--to")
    chosen = config_for(settings, config)
    before, after = (customer_groups(table_sources(settings), moment, chosen) for moment in moments)
    rows = moved(before, after, by.value).to_dicts()
    if json:
        print_json({"from": from_date, "to": to_date, "by": by.value, "transitions": rows})
        return
    kinds = sorted({row["to"] for row in rows})
    cells = {(row["from"], row["to"]): row["customers"] for row in rows}
    print_table(
        f"{by.value}: from {from_date} (down) to {to_date} (across)",
        ["from", *kinds],
        [[start, *(cells.get((start, end), 0) for end in kinds)] for start in sorted({row["from"] for row in rows})],
    )


def _check_horizon(days: int | None) -> None:
    from engine.errors import BadRequest  # noqa: PLC0415

    if days is not None and not 1 <= days <= LONGEST_HORIZON_DAYS:
        raise BadRequest(f"{days} is not between 1 and {LONGEST_HORIZON_DAYS}", where="--horizon-days")


@contextmanager
def _bar() -> Iterator[Callable[[str], None]]:
    with progress() as bar:
        task = bar.add_task("customers", total=None)
        yield lambda step: bar.update(task, description=step)
