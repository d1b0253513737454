"""Bytes as lines of text: unpacked, decoded, with the lines marked that hold bytes of another encoding."""

from __future__ import annotations

import codecs
import gzip
import io
import zlib
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from engine.errors import BadFile
from engine.imports.shape.archive import file_bytes, most_unpacked, too_large
from engine.imports.shape.source import LINE

# A code point that is never a character: it marks a byte that could not be decoded, two hexadecimal digits follow.
MARK = "\ufdd0"
BOMS = ((b"\xef\xbb\xbf", "utf-8"), (b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16"))
SURE = 3  # lines with bytes of another encoding from which on it is the file's, not an accident
LOOKED_AT = 1_000_000  # bytes an encoding is guessed from
WESTERN = set("äöüÄÖÜßéèêëàâçîïôùûÉÈÀÇñÑáíóúÁÍÓÚ¿¡€£°·–—‘’“”…´«»åÅøØæÆãõìò")


def _mark(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeDecodeError):
        raise error
    wrong = error.object[error.start : error.end]
    return "".join(f"{MARK}{byte:02x}" for byte in wrong), error.end


codecs.register_error("engine.undecodable", _mark)


@dataclass(frozen=True, slots=True)
class TextLines:
    """A file's lines: `frame` has `line` and its number `_line`; `undecodable` of them hold a MARK."""

    frame: pl.DataFrame
    encoding: str
    undecodable: int
    hint: str


def read_text(path: Path, encoding: str | None) -> TextLines:
    """Read a file's lines, line ends and byte order mark taken off; gzip is unpacked.

    Raises BadFile when most lines are no text of the encoding, with the likely one.
    """
    data = file_bytes(path)
    if path.name.lower().endswith(".gz"):
        try:
            with gzip.GzipFile(fileobj=io.BytesIO(data)) as unpacked:
                packed, data = len(data), unpacked.read(most_unpacked(len(data)) + 1)
        except (gzip.BadGzipFile, EOFError, zlib.error) as error:
            raise BadFile("is not a whole gzip file", where=str(path)) from error
        too_large(packed, len(data), path)
    used = _by_mark(data) or encoding or _by_zeros(data) or "utf-8"
    wrong = 0
    try:
        text = data.decode(used)
    except UnicodeDecodeError:
        text = data.decode(used, errors="engine.undecodable")
        wrong = 1
    except UnicodeError as error:
        raise BadFile(f"is not {used} text; {_remedy(data, used)}", where=str(path)) from error
    if "\n" not in text and "\r" in text:
        text = text.replace("\r", "\n")
    text = text.removesuffix("\x1a")  # the end of a file as DOS marks it
    lines = pl.read_lines(text.encode(), row_index_name=LINE, row_index_offset=1)
    frame = lines.select(pl.col("line").str.strip_suffix("\r").str.strip_prefix("\ufeff"), pl.col(LINE).cast(pl.Int64))
    if not wrong:
        return TextLines(frame, used, 0, "")
    marked = frame["line"].str.contains(MARK, literal=True)
    wrong = int(marked.sum())
    hint = _remedy(data, used)
    foreign = int(frame["line"].str.contains(r"[^\x00-\x7f]").sum())
    likely = likely_encoding(data, used)
    if wrong * 2 > frame.height - 1 or (likely and wrong >= SURE and wrong * 10 >= foreign * 9):
        first = frame.filter(marked)[LINE][0]
        raise BadFile(
            f"{wrong} of {frame.height} lines are not {used} text (first: line {first}); {hint}", where=str(path)
        )
    return TextLines(frame, used, wrong, hint)


def likely_encoding(data: bytes, used: str = "utf-8") -> str | None:
    """Return the encoding that bytes which are no `used` text are likely in; None where neither Chinese nor Western."""
    sample = data[:LOOKED_AT]
    text = sample.decode("gb18030", errors="ignore")
    foreign = [sign for sign in text if sign > "\x7f"]
    high = sum(1 for byte in sample if byte > 0x7F)
    common = sum(1 for sign in foreign if _in_gb2312(sign))
    if used.lower() != "gb18030" and foreign and common * 10 >= len(foreign) * 9 and common * 2 >= high * 0.9:
        return "gb18030"
    western = [sign for sign in sample.decode("cp1252", errors="replace") if sign > "\x7f"]
    known = sum(1 for sign in western if sign in WESTERN)
    if used.lower() not in {"cp1252", "latin-1"} and western and known * 10 >= len(western) * 9:
        return "cp1252"
    return None


def _in_gb2312(sign: str) -> bool:
    try:
        sign.encode("gb2312")
    except UnicodeEncodeError:
        return False
    return True


def _remedy(data: bytes, used: str) -> str:
    likely = likely_encoding(data, used)
    if likely is None:
        return "name its encoding in the map, for example `encoding: gb18030` or `encoding: cp1252`"
    return f"it looks like {likely}; write `encoding: {likely}` in the map"


def _by_mark(data: bytes) -> str | None:
    return next((encoding for mark, encoding in BOMS if data.startswith(mark)), None)


def _by_zeros(data: bytes) -> str | None:
    """Return the encoding that the zeros of 16-bit text without a mark show."""
    if data[:2000].count(0) * 3 > len(data[:2000]):
        return "utf-16-le" if data[1:2] == b"\x00" else "utf-16-be"
    return None
