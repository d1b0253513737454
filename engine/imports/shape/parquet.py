"""Parquet files, their types kept but for lists and structures."""

from __future__ import annotations

import io
from pathlib import Path

import polars as pl

from engine.errors import BadFile
from engine.imports.shape.archive import file_bytes
from engine.imports.shape.source import LINE, ReadOptions, Source


def read_parquet_file(path: Path, _options: ReadOptions) -> Source:
    """Read Parquet; rows are numbered from 1, lists are joined with | and structures are JSON."""
    if path.is_dir():
        raise IsADirectoryError
    try:
        # A file of its own is not read into memory first.
        rows = pl.read_parquet(path if path.exists() else io.BytesIO(file_bytes(path)), glob=False)
    except pl.exceptions.PolarsError as error:
        raise BadFile(f"is not Parquet ({str(error).splitlines()[0]})", where=str(path)) from error
    flat = [
        pl.col(name).cast(pl.List(pl.String)).list.join("|")
        if dtype == pl.List
        else pl.col(name).struct.json_encode()
        if dtype == pl.Struct
        else pl.col(name).cast(pl.String)
        if dtype in {pl.Categorical, pl.Enum}
        else pl.col(name)
        for name, dtype in rows.schema.items()
        if name != LINE
    ]
    numbers = pl.int_range(1, rows.height + 1, dtype=pl.Int64, eager=True).alias(LINE)
    return Source(path, rows.select(flat).with_columns(numbers))
