"""Lines of JSON objects, each with the names it has."""

from __future__ import annotations

import re
from itertools import islice
from pathlib import Path

import orjson
import polars as pl

from engine.errors import BadFile
from engine.imports.shape.delimited import blank_lines
from engine.imports.shape.lines import MARK, read_text
from engine.imports.shape.source import BROKEN, LINE, MALFORMED, UNDECODABLE, ReadOptions, Source

CHUNK = 100_000


def read_ndjson(path: Path, options: ReadOptions) -> Source:
    """Read lines of JSON; what is no object is a broken row, lists of values are joined with | ."""
    text = read_text(path, options.encoding)
    lines = text.frame.filter(~blank_lines(text.frame))
    frames: list[pl.DataFrame] = []
    broken: list[tuple[int, str, str]] = []
    feed = lines.iter_rows()
    while chunk := list(islice(feed, CHUNK)):
        objects: list[dict[str, str | None]] = []
        for line, number in chunk:
            if text.undecodable and MARK in line:
                broken.append((number, line.replace(MARK, r"\x"), UNDECODABLE))
                continue
            try:
                value = orjson.loads(line)
            except orjson.JSONDecodeError:
                value = None
            if isinstance(value, dict):
                objects.append({**{name: _json_text(cell) for name, cell in value.items()}, LINE: str(number)})
            else:
                broken.append((number, line, MALFORMED))
        names = list(dict.fromkeys(name for row in objects for name in row))
        frames.append(pl.DataFrame(objects, schema=dict.fromkeys(names, pl.String)))
    rows = pl.concat(frames, how="diagonal") if frames else pl.DataFrame()
    if not rows.height and broken:
        raise BadFile(f"no line is a JSON object (first tried: line {broken[0][0]})", where=str(path))
    number = pl.col(LINE).cast(pl.Int64) if LINE in rows.columns else pl.lit(None, pl.Int64).alias(LINE)
    return Source(
        path, rows.with_columns(number), pl.DataFrame(broken, schema=BROKEN, orient="row"), encoding=text.encoding
    )


def _json_text(cell: object) -> str | None:
    if cell is None or isinstance(cell, str):
        return cell
    if isinstance(cell, list) and all(isinstance(entry, str | int | float) for entry in cell):
        return "|".join(str(entry) for entry in cell)
    text = orjson.dumps(cell).decode()
    # A JSON number has a decimal point and nothing else: with four digits behind it nobody has to ask.
    return f"{text}0" if isinstance(cell, float) and re.fullmatch(r"-?\d+\.\d{3}", text) else text
