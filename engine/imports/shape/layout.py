"""Where a table lies in its file: the separator, the header, and what is written above and below.

Exports put titles above ("Sales report", "Store: Main Street"), and totals and counts below. What is above has fewer
filled cells than the header; what is below is known by its words, so that a row cut short stays a row.
"""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

SEPARATORS = (
    "\t",
    ";",
    "|",
    ",",
)  # where two explain a file equally well, the earlier: commas are in texts and numbers
SAMPLE = 300  # physical lines in which separator and header are looked for
TAIL = 100  # lines at the end among which totals are looked for
LONGEST_RECORD = 1000  # physical lines one quoted record may span before its quote counts as a typing error
FIGURE = re.compile(r"^[¥$€£\s(+-]*\d[\d.,'\s]*[%)¥$€£\s-]*$|^\d{1,4}[-/.年]\d{1,2}[-/.月]\d{1,4}")
TOTAL = re.compile(
    r"(?i)^\W*((grand|sub|net|gross)[ -]?)?(totals?|sum|summe|gesamt\w*|somme|totaux|total général|totaal|totale|itogo"
    r"|итого|合计|总计|总和|小计|汇总|合計|総計)\W*$"
)
FOOTNOTE = re.compile(
    r"(?i)^\W*(((grand|sub|net|gross)[ -]?)?totals?|sum|summe|gesamt\w*|somme|totaux|totaal|totale|rows?|records?"
    r"|count|lines?|exported|generated|printed|created|report|page|end of|as of|filters?|number of|anzahl|zeilen|stand"
    r"|seite|exporté|généré|exportado|generado|notes?)(?=[\s:：.]|$)"
    r"|^\W*(итого|合计|总计|总和|小计|汇总|合計|総計|共\s*\d|导出|生成|打印|备注|说明|注[:：])"
    r"|^#?[-=_*#~·+.]{3,}|^#[\W\u4e00-\u9fff]|^\(?\d[\d,. ]* ?(rows?|records?|lines?|orders?|条|行|笔)\b"
    r"|^[^\W\d][^:：,;|\t]{0,40}[:：](\s|$|\d)"
)


TOTALS_TABLE = re.compile(r"^`?#?(总交易单数|交易总笔数|汇总|业务明细合计|合计笔数)")


@dataclass(frozen=True, slots=True)
class Record:
    """One record of text: its cells and the physical lines it covers, `first` to before `after`, from 0."""

    first: int
    after: int
    cells: Sequence[str]

    @property
    def filled(self) -> int:
        """How many cells are not empty."""
        return _filled(self.cells)


def one_record(texts: Sequence[str], separator: str) -> list[str] | None:
    """Return the fields where the lines are exactly one record, [] where they never can be, None where it goes on."""
    if sum(text.count('"') for text in texts) % 2 and len(texts) > 1:
        return None
    try:
        read = list(csv.reader([f"{text}\n" for text in texts], delimiter=separator, strict=True))
    except csv.Error as error:
        return None if "unexpected end" in str(error) else []
    return read[0] if len(read) == 1 else []


def records_of(lines: Sequence[str], separator: str) -> list[Record]:
    """Cut lines into records with quotes respected; blank lines are none, a broken quote is text."""
    records: list[Record] = []
    at = 0
    while at < len(lines):
        record = _record_at(lines, at, separator)
        if any(cell.strip() for cell in record.cells):
            records.append(record)
        at = record.after
    return records


def _record_at(lines: Sequence[str], at: int, separator: str) -> Record:
    if '"' in lines[at]:
        for after in range(at + 1, min(at + 50, len(lines)) + 1):
            cells = one_record(lines[at:after], separator)
            if cells:
                return Record(at, after, cells)
            if cells is not None:
                break
    return Record(at, at + 1, lines[at].split(separator))


def is_figure(cell: str) -> bool:
    """Say whether a cell is a number or starts with a day, as cells of rows are and names of columns are not."""
    return bool(FIGURE.match(cell.strip()))


def find_header(records: Sequence[Record]) -> tuple[int, float, bool]:
    """Return which record names the columns, how well its table explains the file, and whether it looks like names."""
    weights: Counter[int] = Counter()
    for record in records:
        weights[len(record.cells)] += len(record.cells) - 1
    width, weight = max(weights.items(), key=lambda pair: (pair[1], pair[0]), default=(1, 0))
    if width == 1:
        return 0, 0, bool(records)
    most = max(record.filled for record in records if len(record.cells) == width)

    def rows(record: Record) -> bool:
        return any(is_figure(cell) for cell in record.cells)

    def dense(record: Record) -> bool:
        return record.filled * 2 > most

    first = next(i for i, record in enumerate(records) if len(record.cells) == width and dense(record))
    names = not rows(records[first])
    for i in range(first):
        # A header that lacks a name or two is narrower than its rows.
        if len(records[i].cells) * 2 >= width and dense(records[i]) and not rows(records[i]):
            below = [record for record in records[first + 1 :] if len(record.cells) == width]
            if names and any(rows(record) for record in below[:5]):
                break
            return i, weight, True
    if not names:
        # Rows alone have that many cells: they hold separators that nobody quoted.
        first = next((i for i in range(first - 1, -1, -1) if records[i].filled > 1 and not rows(records[i])), first)
    return first, weight, names


def find_separator(lines: Sequence[str]) -> str:
    """Return the separator that makes the widest regular table of header and rows; a comma where none does."""
    best, most = ",", (False, 0.0)
    for separator in SEPARATORS:
        _, weight, names = find_header(records_of(lines, separator))
        if weight and (names, weight) > most:
            best, most = separator, (names, weight)
    return best


def count_below(tail: Sequence[Sequence[str]], width: int) -> int:
    """Return how many of the last records, blank lines (no cells) included, are below a table of `width` columns."""
    # A second table of totals, as payment providers write it, is below with all that follows.
    below = next((len(tail) - at for at, cells in enumerate(tail) if _starts_totals(cells, width)), 0)
    if width > 2 and (block := _last_block(tail)) and all(len(cells) == 1 for cells in block):
        below = max(below, len(block) + 1)  # single texts after a blank line, whatever they say
    for n, cells in enumerate(reversed(tail), 1):
        if n <= below:
            continue
        if not _filled(cells):
            below = n if below and below == n - 1 else below
            continue
        if width < 2 or not _is_footnote(cells, width):
            break
        below = n
    return below


def _last_block(tail: Sequence[Sequence[str]]) -> Sequence[Sequence[str]]:
    """Return the records after the last blank line; none where no line is blank."""
    blank = [at for at, cells in enumerate(tail) if not cells]
    return tail[blank[-1] + 1 :] if blank else []


def _starts_totals(cells: Sequence[str], width: int) -> bool:
    return len(cells) < width and bool(cells) and bool(TOTALS_TABLE.match(cells[0]))


def _filled(cells: Sequence[str]) -> int:
    return sum(1 for cell in cells if cell.strip())


def _is_footnote(cells: Sequence[str], width: int) -> bool:
    first = next(cell for cell in cells if cell.strip())
    if TOTAL.match(first):
        return True
    # In a row as wide as the table, what looks like a footnote may be all that somebody knew.
    padded = len(cells) >= width and (width < 4 or not cells[0].strip())
    return _filled(cells) * 2 <= width and not padded and bool(FOOTNOTE.match(first))
