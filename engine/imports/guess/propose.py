"""A map proposed for files nobody has mapped: what is sure, what is asked, and ten rows as they would be read."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from pathlib import Path

import polars as pl

from engine.columns import STATUSES
from engine.errors import BadFile, InputError
from engine.files.yaml import read_yaml, write_yaml
from engine.imports import fields, table_rows
from engine.imports.fields import text
from engine.imports.guess.contents import (
    HAN,
    LOOKED_AT,
    ColumnLook,
    currency_of,
    date_order_of,
    decimal_mark_of,
    has_offset,
    instant_form,
    look_of,
)
from engine.imports.guess.names import KINDS, bare_name, fitting_names, status_meant, truth_meant
from engine.imports.mapped import apply_map
from engine.imports.mapping import CLAUSES, ORDER_MONEY, ImportKind, names_of, parse_map
from engine.imports.order_rows import grain_of, read_rows
from engine.imports.ready_maps import READY_MAPS, ready_map_names
from engine.imports.shape.archive import file_bytes, with_archives_opened
from engine.imports.shape.lines import likely_encoding
from engine.imports.shape.read import read_source
from engine.imports.shape.source import LINE, ReadOptions, Source
from engine.settings import Settings

SHOWN = 10
# What a file of each kind must hold, and what tells it from the others.
NEEDED: Mapping[ImportKind, tuple[str, ...]] = {
    "orders": ("ordered_at",),
    "customers": ("customer_id",),
    "items": ("item_id", "name"),
    "vendors": ("vendor_id", "name"),
    "offers": ("offer_id", "kind"),
}
MONEY = {*ORDER_MONEY, "price", "margin", "amount", "cap", "min_spend", "percent"}
TRUTHS = ("true", "yes", "y", "1", "t", "false", "no", "n", "0", "f")
INSTANTS = {"ordered_at", "registered_at", "birthday", "valid_from", "valid_until"}


@dataclass(frozen=True, slots=True)
class ColumnGuess:
    """One of the file's columns, which of ours it is (None where none), and why."""

    theirs: str
    ours: str | None
    why: str


@dataclass(frozen=True, slots=True)
class MapGuess:
    """A proposed map: `document` is what its YAML holds, `unsure` what only the owner of the file knows.

    `ready` names the ready map that fits as it is. `preview` has the first rows as they would be read, `refusals` how
    many of the rows looked at would be refused, by reason.
    """

    files: tuple[str, ...]
    kind: ImportKind
    document: Mapping[str, object]
    columns: tuple[ColumnGuess, ...]
    unsure: tuple[str, ...]
    notes: tuple[str, ...]
    ready: str | None
    preview: tuple[Mapping[str, object], ...]
    refusals: Mapping[str, int]

    @property
    def yaml(self) -> str:
        """The map's text, with what is unsure as comments."""
        questions = "".join(f"# unsure: {line}\n" for line in self.unsure)
        head = f"# {self.kind} of {', '.join(self.files)}: regulars import {self.kind} FILES --map THIS\n"
        return head + questions + write_yaml(self.document)

    def as_dict(self) -> dict[str, object]:
        """Return the guess as JSON-ready names and values, the map's text included."""
        return {**asdict(self), "document": dict(self.document), "map": self.yaml}


def guess_map(settings: Settings, files: Sequence[Path], kind: ImportKind | None, *, now: datetime) -> MapGuess:
    """Propose a map for files of one kind (None: the kind that fits best); nothing is written.

    Raises MissingFile and BadFile as an import does, but for an encoding that can be told.
    """
    paths, notes = with_archives_opened(files)
    sources = []
    for path in paths:
        source = _read(path)
        notes += [f"{path.name}: {note}" for note in source.notes]
        sources.append(replace(source, rows=source.rows.head(LOOKED_AT)))
    columns: dict[str, pl.Series] = {}
    for source in sources:
        for name in source.columns:
            columns.setdefault(name, source.rows[name])
    looks = {name: look_of(cells) for name, cells in columns.items()}
    unsure: list[str] = []
    ready = _ready(columns, kind)
    found = kind or ("orders" if ready else _kind(columns, looks, unsure))
    if ready is not None:
        document: dict[str, object] = _ready_document(ready)
        taken = {str(ours): str(their) for ours, their in _flat(document.get("columns"))}
        guessed = [ColumnGuess(their, ours, f"as the ready map {ready} says") for ours, their in taken.items()]
    else:
        guessed = _columns(found, columns, looks, unsure)
        taken = {each.ours: each.theirs for each in guessed if each.ours}
        document = {"columns": taken, **_clauses(found, taken, columns, sources, unsure)}
    document = {**_shape(sources), **document}
    rest = set(columns) - set(taken.values())
    guessed += [ColumnGuess(name, None, _shown(columns[name])) for name in columns if name in rest]
    preview, refusals = _preview(settings, found, document, sources, unsure, now)
    return MapGuess(
        files=tuple(path.name for path in paths),
        kind=found,
        document=document,
        columns=tuple(guessed),
        unsure=tuple(unsure),
        notes=tuple(notes),
        ready=ready,
        preview=preview,
        refusals=refusals,
    )


def _read(path: Path) -> Source:
    try:
        return read_source(path)
    except BadFile:
        likely = likely_encoding(file_bytes(path)) if path.is_file() and path.suffix != ".gz" else None
        if likely is None:
            raise
        return read_source(path, ReadOptions(encoding=likely))


def _shape(sources: Sequence[Source]) -> dict[str, object]:
    """Return what must be said of the files' shape: only what reading them alone would not find out."""
    encodings = {source.encoding for source in sources if source.encoding in {"gb18030", "cp1252"}}
    return {"encoding": encodings.pop()} if len(encodings) == 1 else {}


def _ready(columns: Mapping[str, pl.Series], kind: ImportKind | None) -> str | None:
    """Return the ready map all of whose columns the files have; None where there is none."""
    if kind not in {None, "orders"}:
        return None
    fitting = []
    for name in ready_map_names():
        document = _ready_document(name)
        if set(document) <= set(CLAUSES) and all(ours in names_of("orders") for ours, _ in _flat(document["columns"])):
            theirs = {their for _, their in _flat(document["columns"])}
            if theirs <= set(columns):
                fitting.append((len(theirs), name))
    return max(fitting)[1] if fitting else None


def _ready_document(name: str) -> dict[str, object]:
    loaded = read_yaml(READY_MAPS / f"{name}.yaml", words=True)
    return {str(clause): value for clause, value in loaded.items()} if isinstance(loaded, dict) else {}


def _flat(columns: object) -> list[tuple[str, str]]:
    pairs: list[tuple[str, str]] = []
    for ours, their in columns.items() if isinstance(columns, dict) else ():
        pairs += [(str(ours), str(each)) for each in (their if isinstance(their, list) else [their])]
    return pairs


def _fits(ours: str, look: ColumnLook) -> bool:
    """Say whether cells can be what a name promises; an empty column can be anything."""
    if not look.filled:
        return True
    if ours in INSTANTS:
        return look.instant > 0.5
    if ours in {"ordered_time", "opens", "closes"}:
        return look.amount < 0.5
    if ours in MONEY | {"quantity", "rating", "latitude", "longitude"}:
        return look.amount > 0.5 and (look.instant < 0.9 or ours != "quantity")
    if ours.endswith("_id"):
        return look.instant < 0.5 or look.amount > 0.9
    return True


def _columns(
    kind: ImportKind, columns: Mapping[str, pl.Series], looks: Mapping[str, ColumnLook], unsure: list[str]
) -> list[ColumnGuess]:
    """Return the columns found by name, then those found by what they hold."""
    # `Summe, brutto` is a `Summe` where no column has that name alone.
    bare = {name: {bare_name(name), bare_name(name.split(",")[0])} for name in columns}
    guesses: list[ColumnGuess] = []
    taken: set[str] = set()
    for ours, fitting in fitting_names(kind).items():
        fits = [
            name
            for rank in fitting
            for name in columns
            if rank in bare[name] and name not in taken and _fits(ours, looks[name])
        ]
        if not fits or ours not in names_of(kind) or (ours == "ordered_time" and "ordered_at" not in _ours(guesses)):
            continue
        chosen = fits[0]
        if ours == "ordered_time" and not _is_clock(columns[chosen]):
            continue
        taken.add(chosen)
        guesses.append(ColumnGuess(chosen, ours, f"its name; {_shown(columns[chosen])}"))
        if len(fits) > 1 and ours in {"customer_id", "ordered_at", "order_amount", "item_id"}:
            unsure.append(f"{ours} is {chosen!r}; {', '.join(map(repr, fits[1:3]))} would fit too")
    if kind == "orders":
        guesses += _by_content(columns, looks, taken, _ours(guesses), unsure)
    return guesses


def _ours(guesses: Sequence[ColumnGuess]) -> set[str]:
    return {each.ours for each in guesses if each.ours}


def _is_clock(cells: pl.Series) -> bool:
    return bool(text(cells).drop_nulls().str.contains(r"^\d{1,2}:\d{2}").mean() or 0)


def _by_content(
    columns: Mapping[str, pl.Series],
    looks: Mapping[str, ColumnLook],
    taken: set[str],
    known: set[str],
    unsure: list[str],
) -> list[ColumnGuess]:
    """Return columns of orders that no name told: instants, customers, dishes, amounts."""
    tests: Mapping[str, Callable[[ColumnLook], bool]] = {
        "order_id": lambda look: look.numbered > 0.9,
        "ordered_at": lambda look: look.instant > 0.9 and look.distinct > 0.01,
        "customer_id": lambda look: (look.email > 0.8 or look.phone > 0.9) and look.instant < 0.5,
        "item_id": lambda look: look.words > 0.9 and look.distinct < 0.5 and look.email < 0.1 and look.instant < 0.1,
        "order_amount": lambda look: look.amount > 0.9 and look.whole < 0.9 and look.instant < 0.1 and look.phone < 0.1,
    }
    guesses: list[ColumnGuess] = []
    for ours, fits in tests.items():
        if ours in known or (ours == "order_amount" and known & {"unit_price", "line_amount"}):
            continue
        found = [name for name, look in looks.items() if name not in taken and look.filled > 0.5 and fits(look)]
        if ours == "item_id" and "order_id" not in known | _ours(guesses):
            continue
        if found:
            taken.add(found[0])
            guesses.append(ColumnGuess(found[0], ours, f"what it holds; {_shown(columns[found[0]])}"))
            others = f"; {', '.join(map(repr, found[1:3]))} would fit too" if len(found) > 1 else ""
            unsure.append(f"{ours} is {found[0]!r} by what it holds, not by its name{others}")
    for ours in ("customer_id", "ordered_at"):
        if ours not in known | _ours(guesses):
            unsure.append(f"no column seems to be {ours}; name it under `columns`")
    return guesses


def _kind(columns: Mapping[str, pl.Series], looks: Mapping[str, ColumnLook], unsure: list[str]) -> ImportKind:
    """Return the kind whose columns the files have most of; orders have instants, amounts or dishes and say who."""
    scores: dict[ImportKind, float] = {}
    for kind in KINDS:
        ours = _ours(_columns(kind, columns, looks, []))
        needed = all(name in ours for name in NEEDED[kind])
        alone = {"orders": 1.0, "customers": 1.0 if ours & {"email", "phone", "birthday", "marketing_consent"} else 0.3}
        if kind == "orders" and not ours & {"order_id", "item_id", "order_amount", "line_amount"}:
            needed = False
        scores[kind] = len(ours) * (alone.get(kind, 0.8) if needed else 0.1)
    best = sorted(scores, key=lambda each: scores[each], reverse=True)
    if scores[best[0]] < scores[best[1]] * 1.3:
        unsure.append(f"the files may hold {best[0]} or {best[1]}; say which with --kind")
    return best[0]


def _clauses(
    kind: ImportKind,
    taken: Mapping[str, str],
    columns: Mapping[str, pl.Series],
    sources: Sequence[Source],
    unsure: list[str],
) -> dict[str, object]:
    """Return what the cells tell of zone, currency, marks, dates and words."""
    clauses: dict[str, object] = {}
    money = [columns[their] for ours, their in taken.items() if ours in MONEY]
    words = " ".join([*columns, *(note for source in sources for note in source.notes)])
    chinese = bool(pl.Series([" ".join(columns)]).str.contains(HAN)[0])
    currency = currency_of(money, words)
    if money and "currency" not in taken:
        if currency is not None:
            clauses["currency"] = currency
        else:
            likely = " (CNY, if the shop is in China)" if chinese else ""
            unsure.append(f"no sign tells the currency; write `currency`{likely}, or the home's is meant")
    instants = [columns[their] for ours, their in taken.items() if ours in {"ordered_at", "registered_at"}]
    if instants and not has_offset(instants[0]) and "timezone" not in taken:
        if clauses.get("currency") == "CNY":
            clauses["timezone"] = "Asia/Shanghai"
            unsure.append("the times have no offset; Asia/Shanghai is meant because amounts are in yuan")
        else:
            likely = " (Asia/Shanghai, if the shop is in China)" if chinese else ""
            unsure.append(f"the times have no offset; write `timezone`{likely}, or the home's is meant")
    days = [columns[taken["birthday"]]] if "birthday" in taken and "date_order" in CLAUSES else []
    if instants or days:
        clauses |= _dates((instants or days)[0], unsure)
    mark = decimal_mark_of(money) if money else None
    if mark == ",":
        clauses |= {"decimal": ",", "thousands": "."} if "decimal" in CLAUSES else {}
    elif mark == "?":
        unsure.append("amounts such as 45.000 may be forty-five thousand or forty-five; write `decimal`")
    values: dict[str, Mapping[str, str]] = {}
    for ours, meant, known in (("status", status_meant, STATUSES), ("marketing_consent", truth_meant, TRUTHS)):
        if ours in taken and (found := _words(ours, columns[taken[ours]], meant, known, unsure)):
            values[ours] = found
    return {**clauses, "values": values} if values else clauses


def _dates(cells: pl.Series, unsure: list[str]) -> dict[str, object]:
    order = date_order_of(cells)
    if order is None:
        return {}
    if order == "?":
        unsure.append("dates such as 03/04/2026 may begin with the day or the month; write `date_order`")
        return {}
    if "date_order" in CLAUSES:
        return {"date_order": order}
    form = instant_form(cells, order)
    return {} if form is None else {"instant_format": form}


def _words(
    ours: str, cells: pl.Series, meant: Callable[[str], str | None], known: Sequence[str], unsure: list[str]
) -> Mapping[str, str]:
    """Return what the column's words mean among those we know; words nobody knows are asked about."""
    if cells.dtype != pl.String:
        return {}
    given = text(cells).drop_nulls().value_counts(sort=True).head(50).to_series().to_list()
    foreign = [word for word in given if word.lower() not in known]
    found = {word: meaning for word in foreign if (meaning := meant(word)) is not None}
    unknown = [word for word in foreign if word not in found]
    if unknown:
        unsure.append(f"{ours} has the words {', '.join(map(repr, unknown[:5]))}; translate them under `values`")
    return found


def _shown(cells: pl.Series) -> str:
    given = text(cells).drop_nulls().unique(maintain_order=True).head(3).to_list()
    return f"such as {', '.join(repr(cell[:30]) for cell in given)}" if given else "it is empty"


def _preview(
    settings: Settings,
    kind: ImportKind,
    document: Mapping[str, object],
    sources: Sequence[Source],
    unsure: list[str],
    now: datetime,
) -> tuple[tuple[Mapping[str, object], ...], Mapping[str, int]]:
    """Return the first rows of the first file as an import would read them, and why rows looked at would be refused."""
    try:
        mapping = parse_map(dict(document), kind, where="the proposed map")
        file = apply_map(sources[0], kind, mapping, [], [])
        if kind == "orders":
            grain = grain_of(file, mapping, orders_elsewhere=len(sources) > 1)
            rows = read_rows(file, 0, grain, mapping, settings, now, [])
        else:
            rows = table_rows._read_rows(kind, file, 0, mapping, settings, now)[0]
    except InputError as error:
        unsure.append(f"it cannot be read so: {error.message}")
        return (), {}
    code = pl.col("_code").cast(pl.Int64).replace_strict(range(len(fields.CODES)), fields.CODES, return_dtype=pl.String)
    rows = rows.with_columns(file.source.rows[LINE], refused=code)
    kept = [name for name in rows.columns if name[0] != "_" and rows[name].null_count() < rows.height]
    shown = rows.head(SHOWN).select(pl.col(LINE).alias("line"), *kept)
    if "ordered_at" in shown.columns:
        shown = shown.with_columns(pl.col("ordered_at").dt.strftime("%Y-%m-%dT%H:%M:%SZ"))
    counts = rows["refused"].drop_nulls().value_counts(sort=True)
    return tuple(shown.rows(named=True)), dict(counts.iter_rows())
