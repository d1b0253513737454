"""Where a home's segments read: history and tables lazily, the inbox and the consent log through the session."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import UTC, datetime, timedelta
from functools import cache

import orjson
import polars as pl
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from engine.columns import CUSTOMERS, ITEMS, UTC_INSTANT, VENDORS
from engine.customers import store
from engine.customers.behaviour.feedback import feedback_received_since
from engine.customers.columns import CUSTOMER_TABLE
from engine.customers.config import read_customer_config
from engine.customers.consents import MARKETING, ConsentRow
from engine.customers.moment import Moment, read_moment
from engine.errors import BadFile, NoHistory
from engine.events.inbox import EventRow
from engine.history.opening import open_history
from engine.history.tables import TableName, read_table, table_file
from engine.segments.inputs import SegmentSources
from engine.segments.properties import SEGMENT_EVENTS
from engine.settings import Settings

# A stored customer table answers for "now" until it is a day and a half old, so that one missed night does no harm.
FRESH = timedelta(hours=36)
FrameSchema = dict[str, pl.DataType | type[pl.DataType]]
INBOX_EVENTS: FrameSchema = {
    "customer_id": pl.String,
    "at": UTC_INSTANT,
    "item_id": pl.String,
    "rating": pl.Float64,
}
# Opens a unit of work, or lends the one that is open.
OpenSession = Callable[[], AbstractContextManager[Session]]
LATEST_CONSENTS = {"customer_id": pl.String, "stated": pl.Boolean}


def home_segment_sources(settings: Settings, open_session: OpenSession, *, exact: bool = True) -> SegmentSources:
    """Return what segments read of the home; each look at the database is a short session of its own.

    A column of the customer table is computed as of the very instant asked, unless the stored table is of that instant
    and history. With `exact` False (the instant is "now") a stored table of the last 36 hours answers in its place.
    """
    history = open_history(settings)
    config = read_customer_config(None, home=settings.home)

    @cache
    def menu() -> pl.DataFrame:
        kitchens = _scan(settings, "vendors", VENDORS).select("vendor_id", pl.col("cuisine").alias("vendor_cuisine"))
        dishes = _scan(settings, "items", ITEMS).select("item_id", "category", "cuisine", "vendor_id")
        joined = dishes.join(kitchens, on="vendor_id", how="left")
        cuisine = pl.coalesce("cuisine", "vendor_cuisine").alias("cuisine")
        return joined.with_columns(cuisine).drop("vendor_cuisine").collect()

    @cache
    def table(as_of: datetime) -> pl.LazyFrame:
        stored = _stored_table(settings, open_session, as_of, exact=exact)
        if stored is not None:
            return stored
        moment = Moment(as_of, settings.timezone)
        if history.window() is None and read_table(settings, "customers").is_empty():
            return pl.LazyFrame(schema=CUSTOMER_TABLE)
        return store.compute_customer_table(
            settings, moment, horizon_days=None, config=config, database=open_session
        ).table.lazy()

    return SegmentSources(
        orders=lambda since: history.orders(since=since),
        lines=lambda since: history.lines(since=since),
        customers=_scan(settings, "customers", CUSTOMERS),
        menu=menu,
        table=table,
        inbox=lambda kind, since, customer_id: _inbox(open_session, kind, since, customer_id),
        consents=lambda as_of, customer_id: _consents(open_session, as_of, customer_id),
        zone=settings.timezone,
        dayparts=config.dayparts,
    )


def segment_instant(settings: Settings, text: str | None, *, now: datetime, where: str) -> datetime:
    """Read `text` (a date's whole day counts); None means the end of the newest order's day, never later than `now`.

    Raises BadRequest at `where` when it is neither a date nor an instant.
    """
    if text is not None:
        return read_moment(text, settings.timezone, where=where).at
    try:
        return store.newest_moment(settings, now=now).at
    except NoHistory:
        return now


def _scan(settings: Settings, name: TableName, schema: FrameSchema) -> pl.LazyFrame:
    path = table_file(settings, name)
    if not path.exists():
        return pl.LazyFrame(schema=schema)
    try:
        frame = pl.scan_parquet(path, glob=False)
        there = frame.collect_schema()
    except pl.exceptions.PolarsError as error:
        raise BadFile("is not a table of ours; import it again or restore a backup", where=str(path)) from error
    # A table written before a column existed reads as if that column were unknown.
    return frame.select(
        (pl.col(each) if each in there else pl.lit(None)).cast(dtype).alias(each) for each, dtype in schema.items()
    )


def _stored_table(
    settings: Settings, open_session: OpenSession, as_of: datetime, *, exact: bool
) -> pl.LazyFrame | None:
    path = store.customer_table_file(settings)
    try:
        facts = orjson.loads(path.with_suffix(".json").read_bytes())
        at, built_at = (datetime.fromisoformat(facts[name]) for name in ("as_of", "built_at"))
        fingerprint = facts["history"]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    # A table of another release lacks columns; one built before a complaint would call its customer content.
    if facts.get("format") != store.TABLE_FORMAT or not store.has_all_columns(settings):
        return None
    if feedback_received_since(open_session, built_at):
        return None
    same = at == as_of and fingerprint == open_history(settings).fingerprint()
    fresh = not exact and timedelta(0) <= as_of - at <= FRESH
    return pl.scan_parquet(path, glob=False) if same or fresh else None


def _inbox(open_session: OpenSession, kind: str, since: datetime | None, customer_id: str | None) -> pl.DataFrame:
    query = select(EventRow.customer_id, EventRow.at, EventRow.body).where(EventRow.type == kind)
    if since is not None:
        query = query.where(EventRow.at >= since)
    if customer_id is not None:
        query = query.where(EventRow.customer_id == customer_id)
    with open_session() as session:
        found = session.execute(query).all()
    compared = {each.column: each.kind for each in SEGMENT_EVENTS[kind].properties.values() if each.column}
    schema = INBOX_EVENTS | {name: pl.Float64 if how == "number" else pl.String for name, how in compared.items()}
    bodies = [orjson.loads(body) for _, _, body in found]
    properties = {
        name: pl.Series([each.get(name) for each in bodies], dtype=schema[name], strict=False)
        for name in list(schema)[2:]
    }
    customers, instants = [each for each, _, _ in found], [at.astimezone(UTC) for _, at, _ in found]
    return pl.DataFrame({"customer_id": customers, "at": instants, **properties}, schema=schema)


def _consents(open_session: OpenSession, as_of: datetime, customer_id: str | None) -> pl.DataFrame:
    newest = select(func.max(ConsentRow.id)).where(ConsentRow.purpose == MARKETING, ConsentRow.at <= as_of)
    if customer_id is not None:
        newest = newest.where(ConsentRow.customer_id == customer_id)
    query = select(ConsentRow.customer_id, ConsentRow.granted).where(
        ConsentRow.id.in_(newest.group_by(ConsentRow.customer_id))
    )
    with open_session() as session:
        return pl.DataFrame([tuple(row) for row in session.execute(query)], schema=LATEST_CONSENTS, orient="row")
