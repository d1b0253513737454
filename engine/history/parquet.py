"""Order history on Parquet: append orders and lines, scan those before any instant.

One file per calendar month (UTC) and kind, named after its content and listed in `manifest.json`. Replacing the
manifest is the commit: a reader, and a writer killed at any moment, sees all of an append or none of it. Files that a
newer generation replaced stay for an hour, so that a frame scanned just before still collects.
"""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import orjson
import polars as pl

from engine.columns import LINE_COLUMNS, LINES, ORDER_COLUMNS, ORDERS, Column
from engine.errors import BadColumns, BadFile, Conflict
from engine.files.atomic import locked, replace, sync_folder
from engine.history.merge import CHANGE, SAME, UPDATED, count, merge, same
from engine.history.protocol import Appended

KEEP_REPLACED_S = 3600.0
LINE_KEY = ["order_id", "item_id", "line_no"]
LINE_VALUES = ["quantity", "line_cents"]
ORDER_VALUES = [name for name in ORDERS if name not in {"order_id", "customer_id", "ordered_at"}]
FROM_ORDER = ["customer_id", "ordered_at", "status", "vendor_id"]
SORT = {
    "orders": ["customer_id", "ordered_at", "order_id"],
    "lines": ["customer_id", "ordered_at", "order_id", "item_id", "line_no"],
}
SCHEMAS = {"orders": ORDERS, "lines": LINES}


@dataclass(frozen=True, slots=True)
class MonthFile:
    """One month's file of one kind; the instants are its first and last, ISO 8601."""

    file: str
    rows: int
    first_at: str
    last_at: str


Manifest = Mapping[str, Mapping[str, MonthFile]]


class ParquetHistory:
    """The order history in one folder; reading never locks, writing takes the folder's lock."""

    def __init__(self, root: Path, *, lock_wait_s: float = 10.0) -> None:
        self.root = root
        self.lock_wait_s = lock_wait_s

    def orders(self, before: datetime | None = None, *, since: datetime | None = None) -> pl.LazyFrame:
        """Return orders (schema ORDERS) placed strictly before `before`; all of them where None.

        `since` leaves out whole months that end before it; orders of its own month are all there.
        """
        return self._scan("orders", before, since)

    def lines(self, before: datetime | None = None, *, since: datetime | None = None) -> pl.LazyFrame:
        """Return order lines (schema LINES) as `orders` returns orders."""
        return self._scan("lines", before, since)

    def months(self) -> Iterator[tuple[pl.LazyFrame, pl.LazyFrame]]:
        """Yield orders and lines of one calendar month (UTC) after the other, each sorted by SORT."""
        manifest = self._manifest()
        for month, part in manifest["orders"].items():
            lines = manifest["lines"].get(month)
            yield (
                pl.scan_parquet(self.root / part.file, glob=False),
                pl.scan_parquet(self.root / lines.file, glob=False) if lines else pl.LazyFrame(schema=LINES),
            )

    def window(self) -> tuple[datetime, datetime] | None:
        """Return the first and last `ordered_at`; None when there is no order."""
        parts = self._manifest()["orders"].values()
        if not parts:
            return None
        first, last = min(p.first_at for p in parts), max(p.last_at for p in parts)
        return datetime.fromisoformat(first), datetime.fromisoformat(last)

    def counts(self) -> tuple[int, int]:
        """Return how many orders and how many lines there are, from the manifest alone."""
        manifest = self._manifest()
        return sum(p.rows for p in manifest["orders"].values()), sum(p.rows for p in manifest["lines"].values())

    def fingerprint(self) -> str:
        """Return 32 hex digits that change if and only if the content does."""
        manifest = self._manifest()
        names = sorted(part.file for parts in manifest.values() for part in parts.values())
        return hashlib.blake2b("\n".join(names).encode(), digest_size=16).hexdigest()

    def known(self, order_ids: pl.Series) -> pl.DataFrame:
        """Return order_id and the columns lines repeat, of those `order_ids` that history holds."""
        wanted = order_ids.alias("order_id").drop_nulls().unique().to_frame().lazy()
        found = self.orders().select("order_id", *FROM_ORDER).join(wanted, on="order_id", how="semi")
        return found.collect(engine="streaming")

    def append(self, orders: pl.DataFrame, lines: pl.DataFrame) -> Appended:
        """Add or update orders by order_id and lines by (order_id, item_id, line_no); the same again changes nothing.

        Where history already has the row, a given value wins and null keeps what was known. Lines take customer,
        instant, status and vendor of their order.
        Raises BadColumns for a missing or null required column, Conflict when an order_id belongs to another customer
        or instant, when a line has no order, or when another writer holds the folder.
        """
        orders = _conform(orders, ORDER_COLUMNS)
        lines = _conform(lines, LINE_COLUMNS)
        with locked(self.root, wait_s=self.lock_wait_s):
            manifest = self._manifest()
            self._sweep(manifest)
            self._refuse_conflicts(orders)
            fresh = {kind: dict(parts) for kind, parts in manifest.items()}
            order_changes, line_changes = same(orders.height), same(lines.height)
            for month, rows in _by_month(orders, lines).items():
                changed = self._append_month(month, fresh, orders[rows[0]], lines[rows[1]])
                order_changes = order_changes.scatter(rows[0], changed[0])
                line_changes = line_changes.scatter(rows[1], changed[1])
            if fresh != manifest:
                self._commit(manifest, fresh)
        return _appended(order_changes, line_changes)

    def _append_month(
        self, month: str, parts: dict[str, dict[str, MonthFile]], orders: pl.DataFrame, lines: pl.DataFrame
    ) -> tuple[pl.Series, pl.Series]:
        all_orders, order_changes = merge(self._read("orders", parts, month), orders, ["order_id"], ORDER_VALUES)
        all_lines, line_changes = merge(self._read("lines", parts, month), lines, LINE_KEY, LINE_VALUES)
        # Lines repeat their order, so an order that changed rewrites its lines too.
        all_lines = all_lines.drop(FROM_ORDER).join(
            all_orders.select("order_id", *FROM_ORDER), on="order_id", how="left"
        )
        orphan = all_lines.filter(pl.col("customer_id").is_null())
        if orphan.height:
            raise Conflict(
                f"line of order {orphan['order_id'][0]!r} has no order of that instant; give its order first",
                where=str(self.root),
            )
        if (order_changes != SAME).any():
            parts["orders"][month] = self._write("orders", month, all_orders)
        if all_lines.height and ((order_changes == UPDATED).any() or (line_changes != SAME).any()):
            parts["lines"][month] = self._write("lines", month, all_lines)
        return order_changes, line_changes

    def _scan(self, kind: str, before: datetime | None, since: datetime | None) -> pl.LazyFrame:
        if before is not None and before.tzinfo is None:
            raise ValueError("before needs a time zone")
        limit = None if before is None else before.astimezone(UTC)
        parts = self._manifest()[kind].values()
        files = [
            self.root / p.file
            for p in parts
            if (limit is None or datetime.fromisoformat(p.first_at) < limit)
            and (since is None or datetime.fromisoformat(p.last_at) >= since)
        ]
        if not files:
            return pl.LazyFrame(schema=SCHEMAS[kind])
        frame = pl.scan_parquet(files, glob=False)
        return frame if limit is None else frame.filter(pl.col("ordered_at") < limit)

    def _read(self, kind: str, parts: Manifest, month: str) -> pl.DataFrame:
        part = parts[kind].get(month)
        return pl.read_parquet(self.root / part.file) if part else pl.DataFrame(schema=SCHEMAS[kind])

    def _write(self, kind: str, month: str, frame: pl.DataFrame) -> MonthFile:
        # Sorted rows in one chunk give the same bytes for the same content, so the name is the content's.
        frame = frame.select(list(SCHEMAS[kind])).sort(SORT[kind]).rechunk()
        temporary = self.root / f".{kind}-{month}.{os.getpid()}.tmp"
        frame.write_parquet(temporary, compression="zstd", row_group_size=262_144)
        with temporary.open("rb") as written:
            os.fsync(written.fileno())
            digest = hashlib.file_digest(written, lambda: hashlib.blake2b(digest_size=10)).hexdigest()
        name = f"{kind}-{month}-{digest}.parquet"
        temporary.replace(self.root / name)
        first, last = frame.select(first=pl.col("ordered_at").min(), last=pl.col("ordered_at").max()).row(0)
        return MonthFile(name, frame.height, first.isoformat(), last.isoformat())

    def _manifest(self) -> dict[str, dict[str, MonthFile]]:
        path = self.root / "manifest.json"
        try:
            stored = orjson.loads(path.read_bytes())
            return {
                kind: {month: MonthFile(**part) for month, part in sorted(stored[kind].items())}
                for kind in ("orders", "lines")
            }
        except FileNotFoundError:
            return {"orders": {}, "lines": {}}
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise BadFile("not a history manifest; restore it from a backup", where=str(path)) from error

    def _commit(self, old: Manifest, new: Manifest) -> None:
        # A replaced file's hour starts now, whenever it was written.
        for name in _files(old) - _files(new):
            os.utime(self.root / name)
        document = {
            kind: {month: _part_fields(part) for month, part in sorted(parts.items())} for kind, parts in new.items()
        }
        content = orjson.dumps({"format": 1, **document}, option=orjson.OPT_INDENT_2)
        sync_folder(self.root)
        replace(self.root / "manifest.json", lambda path: path.write_bytes(content))

    def _sweep(self, manifest: Manifest) -> None:
        """Remove files no manifest has named for an hour: replaced generations and what a killed writer left."""
        named = _files(manifest)
        oldest = time.time() - KEEP_REPLACED_S
        for path in [*self.root.glob("*.parquet"), *self.root.glob(".*.tmp")]:
            if path.name not in named and path.stat().st_mtime < oldest:
                path.unlink(missing_ok=True)

    def _refuse_conflicts(self, orders: pl.DataFrame) -> None:
        same = pl.struct("customer_id", "ordered_at")
        mixed = pl.DataFrame(schema={"order_id": pl.String})
        if orders["order_id"].is_duplicated().any():
            mixed = orders.group_by("order_id").agg(n=same.n_unique()).filter(pl.col("n") > 1)
        if not mixed.height:
            theirs = self.known(orders["order_id"]).select("order_id", "customer_id", "ordered_at")
            mixed = orders.join(theirs, on="order_id", suffix="_known").filter(
                (pl.col("customer_id") != pl.col("customer_id_known"))
                | (pl.col("ordered_at") != pl.col("ordered_at_known"))
            )
        if mixed.height:
            raise Conflict(
                f"order {mixed['order_id'][0]!r} belongs to another customer or instant; order ids must be unique",
                where=str(self.root),
            )


def _by_month(orders: pl.DataFrame, lines: pl.DataFrame) -> dict[str, tuple[pl.Series, pl.Series]]:
    """Return for each month the positions of its orders and lines."""
    found: dict[str, dict[str, pl.Series]] = {}
    for kind, frame in (("orders", orders), ("lines", lines)):
        month = frame.select(month=pl.col("ordered_at").dt.strftime("%Y-%m")).with_row_index("row")
        for name, rows in month.group_by("month").agg("row").iter_rows():
            found.setdefault(name, {})[kind] = pl.Series(rows, dtype=pl.UInt32)
    none = pl.Series([], dtype=pl.UInt32)
    return {name: (rows.get("orders", none), rows.get("lines", none)) for name, rows in sorted(found.items())}


def _conform(frame: pl.DataFrame, columns: tuple[Column, ...]) -> pl.DataFrame:
    """Return `frame` with exactly `columns`; absent optional ones are null."""
    missing = [c.name for c in columns if c.required and c.name not in frame.columns]
    if missing:
        raise BadColumns(f"column {missing[0]!r} is missing", where="history")
    frame = frame.select(
        [
            (pl.col(c.name) if c.name in frame.columns else pl.lit(None)).cast(c.dtype, strict=True).alias(c.name)
            for c in columns
        ]
    )
    for c in columns:
        if c.required and frame[c.name].null_count():
            raise BadColumns(f"column {c.name!r} has empty values", where="history")
    return frame


def _appended(orders: pl.Series, lines: pl.Series) -> Appended:
    return Appended(*count(orders), *count(lines), orders.cat.to(CHANGE), line_changes=lines.cat.to(CHANGE))


def _files(manifest: Manifest) -> set[str]:
    return {part.file for parts in manifest.values() for part in parts.values()}


def _part_fields(part: MonthFile) -> dict[str, str | int]:
    return {"file": part.file, "rows": part.rows, "first_at": part.first_at, "last_at": part.last_at}
