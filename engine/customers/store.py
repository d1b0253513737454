"""The customer table in the home: built, stored with its manifest, and read back whole.

tables/customer_table.parquet    schema CUSTOMER_TABLE, sorted by customer_id
tables/customer_table.json       moment, data window, models chosen, calibration figures, history's fingerprint
tables/customer_table.svg        the return model's reliability plot, where it could be judged
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import orjson
import polars as pl

from engine.charts.reliability import reliability_svg
from engine.customers.behaviour.feedback import Inbox, feedback_received_since, newest_feedback, read_feedback
from engine.customers.columns import CUSTOMER_TABLE
from engine.customers.compute.inputs import TableSources
from engine.customers.config import CustomerConfig, read_customer_config
from engine.customers.moment import Moment, end_of
from engine.customers.table import CustomerTable, customer_table
from engine.errors import BadFile, NoHistory, NotFound
from engine.files.atomic import locked, replace
from engine.history.opening import open_history
from engine.history.tables import read_table
from engine.settings import Settings

# 2: survey answers and complaints. A further column needs no new number: a table without it is not current.
TABLE_FORMAT = 2


def customer_table_file(settings: Settings) -> Path:
    """Return where the stored table lies, whether or not it exists."""
    return settings.tables_folder / "customer_table.parquet"


def table_sources(settings: Settings, database: Inbox | None = None) -> TableSources:
    """Return the home's history and tables as the builder reads them, with the feedback in `database` (None: none)."""
    history = open_history(settings)
    return TableSources(
        history.orders(),
        history.lines(),
        read_table(settings, "customers"),
        read_table(settings, "items"),
        read_table(settings, "vendors"),
        read_feedback(database),
    )


def newest_moment(settings: Settings, *, now: datetime, database: Inbox | None = None) -> Moment:
    """Return the end of the day of the newest order, or of newer feedback in `database`, but never later than `now`.

    Raises NoHistory where there is no order.
    """
    window = open_history(settings).window()
    if window is None:
        raise NoHistory("there is no order yet; import some first", where=str(settings.history_folder))
    newest = max(window[1], newest_feedback(database) or window[1])
    last = end_of(newest.astimezone(ZoneInfo(settings.timezone)).date(), settings.timezone)
    return last if last.at <= now else Moment(now, settings.timezone)


def build_customer_table(
    settings: Settings,
    *,
    now: datetime,
    as_of: Moment | None = None,
    horizon_days: int | None = None,
    config: CustomerConfig | None = None,
    report: Callable[[str], None] = lambda _: None,
    database: Inbox | None = None,
) -> CustomerTable:
    """Build the table as of `as_of` (None: `newest_moment`) and store it in the home, atomically.

    `horizon_days` None takes the configured one; `config` None reads `<home>/customers.yaml`; without `database` no
    feedback counts. Raises NoHistory without an order, BadDefinition for a wrong configuration.
    """
    chosen = config or read_customer_config(None, home=settings.home)
    moment = as_of or newest_moment(settings, now=now, database=database)
    fingerprint = open_history(settings).fingerprint()
    built = compute_customer_table(
        settings, moment, horizon_days=horizon_days, config=chosen, report=report, database=database
    )
    content = _json({"format": TABLE_FORMAT, "built_at": now.isoformat(), "history": fingerprint, **built.facts})
    with locked(settings.tables_folder):
        path = customer_table_file(settings)
        replace(path, lambda file: built.table.write_parquet(file, compression="zstd", row_group_size=131_072))
        replace(path.with_suffix(".json"), lambda file: file.write_bytes(content))
        _draw(path.with_suffix(".svg"), orjson.loads(content)["return_model"])
    return CustomerTable(built.table, orjson.loads(content))


def is_table_current(settings: Settings, database: Inbox) -> bool:
    """Return whether a table is stored that has all columns and all orders and feedback received until now."""
    try:
        facts = orjson.loads(customer_table_file(settings).with_suffix(".json").read_bytes())
        format_, history, built_at = facts["format"], facts["history"], datetime.fromisoformat(facts["built_at"])
    except (OSError, ValueError, KeyError, TypeError):
        return False
    same = format_ == TABLE_FORMAT and history == open_history(settings).fingerprint()
    return same and has_all_columns(settings) and not feedback_received_since(database, built_at)


def has_all_columns(settings: Settings) -> bool:
    """Return whether a table is stored that has every column declared now."""
    path = customer_table_file(settings)
    try:
        status = path.stat()
        return CUSTOMER_TABLE.keys() <= _stored_columns(path, status.st_ino, status.st_mtime_ns)
    except (OSError, pl.exceptions.PolarsError):
        return False


@lru_cache(maxsize=4)
def _stored_columns(path: Path, _inode: int, _modified_ns: int) -> frozenset[str]:
    # Asked with every look at a segment, while the file is replaced once a night.
    return frozenset(pl.read_parquet_schema(path))


def compute_customer_table(
    settings: Settings,
    moment: Moment,
    *,
    horizon_days: int | None,
    config: CustomerConfig,
    report: Callable[[str], None] = lambda _: None,
    database: Inbox | None = None,
) -> CustomerTable:
    """Build the table of the home's data as of `moment` without storing it; feedback is what `database` holds.

    Raises NoHistory where nobody is known by then.
    """
    horizon = horizon_days or config.returning.horizon_days
    data = table_sources(settings, database)
    built = customer_table(data, moment, horizon_days=horizon, config=config, report=report)
    if not built.table.height:
        raise NoHistory(f"nobody is known as of {moment.date}; import orders or customers, or choose a later moment")
    return built


def read_customer_table(settings: Settings) -> CustomerTable:
    """Return the stored table and its manifest.

    Raises NotFound where none was built, BadFile where it is broken.
    """
    with _stored(settings) as (table, facts):
        return CustomerTable(table.collect(), facts)


def read_customer(settings: Settings, customer_id: str) -> tuple[CustomerTable, pl.DataFrame]:
    """Return a customer's row (none or one) with the manifest, and `orders` and `tier_value` of everyone.

    Reads only the row groups that may hold the customer and two columns, so that one customer costs no whole table.
    Raises NotFound where no table was built, BadFile where it is broken.
    """
    with _stored(settings) as (table, facts):
        row = table.filter(pl.col("customer_id") == customer_id).collect()
        return CustomerTable(row, facts), table.select("orders", "tier_value").collect()


@contextmanager
def _stored(settings: Settings) -> Iterator[tuple[pl.LazyFrame, dict[str, Any]]]:
    path = customer_table_file(settings)
    if not path.exists():
        raise NotFound("the customer table is not built yet; run: regulars customers build", where=str(path))
    try:
        facts: dict[str, Any] = orjson.loads(path.with_suffix(".json").read_bytes())
        yield pl.scan_parquet(path, glob=False).select(list(CUSTOMER_TABLE)), facts
    except (pl.exceptions.PolarsError, OSError, ValueError) as error:
        raise BadFile("is no customer table of ours; run: regulars customers build", where=str(path)) from error


def _draw(path: Path, quality: dict[str, Any] | None) -> None:
    if quality is None:
        path.unlink(missing_ok=True)
        return
    drawn = reliability_svg(quality)
    replace(path, lambda file: file.write_text(drawn, encoding="utf-8"))


def _json(manifest: dict[str, Any]) -> bytes:
    return orjson.dumps(manifest, option=orjson.OPT_INDENT_2 | orjson.OPT_SERIALIZE_NUMPY)
