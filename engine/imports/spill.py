"""More rows than memory should hold, in parts: every order's rows in one part, each month in one part."""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import polars as pl

from engine.columns import DAY_S
from engine.imports.order_rows import LINE_GRAIN

PREFIX = ".import-"
ABANDONED_S = DAY_S
MONTH = pl.col("ordered_at").dt.year() * 12 + pl.col("ordered_at").dt.month().cast(pl.Int32)


def in_parts(
    home: Path, tables: Iterable[pl.DataFrame], known: Callable[[pl.Series], pl.DataFrame] | None, *, most: int
) -> Iterator[pl.DataFrame]:
    """Yield the rows (schema ROWS) of `tables` in parts of about `most`, in each in the order they came.

    An order belongs where the first sound row that names its instant puts it, so that rows at odds meet. Months are not
    shared between parts: history writes each of its files once. `known` returns the orders of history among ids, None
    where there is none. What is put aside lies in a folder of `home` until the last part was taken.
    """
    _sweep(home)
    with tempfile.TemporaryDirectory(prefix=PREFIX, dir=home) as name:
        folder = Path(name)
        months, n_rows = _put_aside(folder, tables)
        parts = _parts_of(months, n_rows, most)
        _divide(folder, months.join(parts, on="month").drop("month"), parts, known)
        del months
        for number in range(int(parts["part"].max() or 0) + 1):  # type: ignore[arg-type]
            files = sorted(folder.glob(f"{number}-*.parquet"))
            if files:
                yield pl.concat([pl.read_parquet(file) for file in files], rechunk=False)
            for file in files:
                file.unlink()


def _put_aside(folder: Path, tables: Iterable[pl.DataFrame]) -> tuple[pl.DataFrame, int]:
    """Write the tables to files; return order_id and month of every order, and how many rows there are."""
    found, n_rows = [], 0
    for number, rows in enumerate(tables):
        sound = rows.filter(pl.col("_code").is_null() & (pl.col("_grain") != LINE_GRAIN))
        found.append(sound.select("order_id", month=MONTH).unique("order_id", keep="first", maintain_order=True))
        rows.write_parquet(folder / f"rows-{number:06d}.parquet", compression="lz4")
        n_rows += rows.height
    return pl.concat(found).unique("order_id", keep="first", maintain_order=True), n_rows


def _parts_of(months: pl.DataFrame, n_rows: int, most: int) -> pl.DataFrame:
    """Return the part of each month: months one after the other until a part is full."""
    counted = months.group_by("month").len().sort("month")
    share = n_rows / max(months.height, 1) / most
    before = pl.col("len").cum_sum() - pl.col("len")
    return counted.select("month", part=(before * share).floor().cast(pl.Int32))


def _divide(
    folder: Path,
    part_of: pl.DataFrame,
    parts: pl.DataFrame,
    known: Callable[[pl.Series], pl.DataFrame] | None,
) -> None:
    """Cut each file put aside into one for each part; rows of an order without an instant go to the first."""
    for path in sorted(folder.glob("rows-*.parquet")):
        rows = pl.read_parquet(path)
        path.unlink()
        own = part_of.join(rows.select("order_id").unique(), on="order_id", how="semi")
        if known is not None:
            others = rows.select("order_id").unique().join(own, on="order_id", how="anti")["order_id"]
            of_history = known(others).select("order_id", month=MONTH).join(parts, on="month", how="inner")
            own = pl.concat([own, of_history.select("order_id", "part")])
        rows = rows.join(own, on="order_id", how="left", maintain_order="left").with_columns(
            pl.col("part").fill_null(0)
        )
        for some in rows.partition_by("part", maintain_order=True):
            some.drop("part").write_parquet(folder / f"{some['part'][0]}-{path.stem}.parquet", compression="lz4")


def _sweep(home: Path) -> None:
    """Remove what an import that was killed left behind."""
    home.mkdir(parents=True, exist_ok=True)
    for left in home.glob(f"{PREFIX}*"):
        if left.stat().st_mtime < time.time() - ABANDONED_S:
            shutil.rmtree(left, ignore_errors=True)
