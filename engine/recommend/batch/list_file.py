"""How every customer's list reaches one Parquet file: parts that outlive a kill, then one rename.

    .FILE.parts/recipe.json       what the parts were made of; parts of another recipe are thrown away
    .FILE.parts/000000.parquet    the lists of the first customers, and so on; each is put in place whole

FILE is the old one whole or the new one whole. A run that was killed is taken up where it was by the next of its kind.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import signal
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import asdict, dataclass, field
from multiprocessing import connection, get_context, parent_process
from pathlib import Path

import orjson
import polars as pl

from engine.artifact import load
from engine.errors import BadRequest, MissingFile, RegularsError
from engine.files.atomic import locked, replace, sync_folder
from engine.history.tables import read_table, table_file
from engine.ids import IdMap
from engine.recommend.batch.everyone import Lists, ZoneMasks, best_by_factors, best_by_models, best_for_newcomers
from engine.recommend.catalog.catalog import Catalog, catalog_of
from engine.recommend.published.extras import RegisteredCustomers
from engine.recommend.published.model import PublishedModel, open_published
from engine.runtime.threads import one_blas_thread
from engine.settings import Settings

MODELS = ("served", "als")
# A part is a million rows: large enough to write well, small enough to lose.
PART = 20_000
RECIPE, WHOLE = "recipe.json", "whole.parquet"
SCHEMA: dict[str, pl.DataType | type[pl.DataType]] = {
    "customer_id": pl.String,
    "rank": pl.UInt16,
    "item_id": pl.String,
    "score": pl.Float32,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportSpec:
    """What a file of lists is made of: equal recipes give equal files.

    `model` is one of MODELS; `at_s`, seconds since 1970, is when the served models are asked. `tables` is a digest of
    the items and vendors tables. `part` is how many customers a part holds.
    """

    version: str
    model: str
    top: int
    at_s: int
    tables: str
    part: int = PART


@dataclass(frozen=True, slots=True)
class WrittenLists:
    """What a run did: how many customers there are, how many rows of lists; `resumed` customers were done before.

    `newcomers` of the customers are registered and have not ordered.
    """

    file: Path
    customers: int
    newcomers: int
    rows: int
    resumed: int


@dataclass(frozen=True, slots=True)
class PartWriter:
    """All that writing parts needs, opened once a process.

    Parts are of customers with orders first, and then of the registered ones without.
    """

    published: PublishedModel
    menus: ZoneMasks
    recipe: ExportSpec
    folder: Path
    threads: int
    items: pl.Series = field(init=False, repr=False)
    known: IdMap = field(init=False, repr=False)
    cards: RegisteredCustomers = field(init=False, repr=False)

    def __post_init__(self) -> None:
        """Hold the item ids as a column, and both kinds of customers."""
        object.__setattr__(self, "known", self.published.customers)
        object.__setattr__(self, "cards", self.published.extras.cards or RegisteredCustomers.none())
        names = self.published.items.names(range(len(self.published.items)))
        object.__setattr__(self, "items", pl.Series(names, dtype=pl.String))

    def write(self, number: int) -> int:
        """Write a part and return how many customers it is of."""
        ids, rows = self._part(number)
        recipe = self.recipe
        if ids is self.cards.ids:
            # Factors of taste know nothing of them.
            lists = best_for_newcomers(self.published, self.cards, self.menus, rows, top=recipe.top, at_s=recipe.at_s)
        elif recipe.model == "als":
            lists = best_by_factors(self.published, self.menus, rows, top=recipe.top, threads=self.threads)
        else:
            lists = best_by_models(self.published, self.menus, rows, top=recipe.top, at_s=recipe.at_s)
        frame = self._frame(ids, rows, lists)
        replace(self.path(number), lambda path: frame.write_parquet(path, compression="lz4"))
        return len(rows)

    def parts(self) -> range:
        """Return the numbers of all parts."""
        return range(self._parts_of(self.known) + self._parts_of(self.cards.ids))

    def size(self, number: int) -> int:
        """Return how many customers a part is of."""
        return len(self._part(number)[1])

    def _part(self, number: int) -> tuple[IdMap, range]:
        """Return which customers a part is of, and their rows among these."""
        before = self._parts_of(self.known)
        ids, nth = (self.known, number) if number < before else (self.cards.ids, number - before)
        return ids, range(nth * self.recipe.part, min((nth + 1) * self.recipe.part, len(ids)))

    def _parts_of(self, ids: IdMap) -> int:
        return -(-len(ids) // self.recipe.part)

    def path(self, number: int) -> Path:
        """Return where a part lies."""
        return self.folder / f"{number:06d}.parquet"

    def _frame(self, ids: IdMap, rows: range, lists: Lists) -> pl.DataFrame:
        names = pl.Series(ids.names(rows), dtype=pl.String)
        customer, rank = (lists.columns >= 0).nonzero()
        return pl.DataFrame(
            {
                "customer_id": names.gather(customer),
                "rank": rank + 1,
                "item_id": self.items.gather(lists.columns[customer, rank]),
                "score": lists.scores[customer, rank],
            },
            schema_overrides=SCHEMA,
        )


def tables_digest(settings: Settings) -> str:
    """Return a digest of the tables that say what may be shown."""
    files = [table_file(settings, name) for name in ("items", "vendors")]
    found = [hashlib.blake2b(file.read_bytes() if file.exists() else b"", digest_size=8).hexdigest() for file in files]
    return "-".join(found)


def write_lists(
    settings: Settings,
    recipe: ExportSpec,
    file: Path,
    *,
    processes: int,
    report: Callable[[int, int], None] = lambda _, __: None,
) -> WrittenLists:
    """Write the best `top` dishes of every customer to `file`: customer_id, rank from 1, item_id, score.

    Customers with orders come first, in the order of their ids; then, in the order of the customers table, those who
    were registered at training and have not ordered. `processes` share the work (of `als`, as many threads of this
    one); `report` is told how many customers of how many are done. The file does not depend on either.
    Raises MissingFile when the folder is not there, BadRequest when `file` is a folder, Conflict when another run is
    writing it, ArtifactBroken, and NotFound when a version without factors is asked for them.
    """
    if not file.parent.is_dir():
        raise MissingFile("no such folder; make it first", where=str(file.parent))
    if file.is_dir():
        raise BadRequest("is a folder; name a file", where=str(file))
    one_blas_thread()
    published = open_published(load(settings.artifacts_folder, recipe.version))
    catalog = catalog_of(
        published,
        read_table(settings, "items"),
        read_table(settings, "vendors"),
        timezone=settings.timezone,
        language=settings.language,
    )
    folder = file.with_name(f".{file.name}.parts")
    with locked(folder, wait_s=0):
        _keep_only(folder, recipe)
        desk = PartWriter(published, ZoneMasks(published, catalog), recipe, folder, processes)
        parts, everybody = desk.parts(), len(desk.known) + len(desk.cards.ids)
        left = [number for number in parts if not desk.path(number).exists()]
        resumed = done = sum(desk.size(number) for number in set(parts) - set(left))
        report(done, everybody)
        for count in _written(desk, left, settings, catalog, processes):
            done += count
            report(done, everybody)
        rows = _join([desk.path(number) for number in parts], folder / WHOLE)
        (folder / WHOLE).replace(file)
        sync_folder(file.parent)
        shutil.rmtree(folder)
    return WrittenLists(file, everybody, len(desk.cards.ids), rows, resumed)


def _keep_only(folder: Path, recipe: ExportSpec) -> None:
    """Leave in the folder only whole parts of this recipe."""
    wanted = orjson.dumps(asdict(recipe))
    told = folder / RECIPE
    same = told.exists() and told.read_bytes() == wanted
    for path in folder.iterdir():
        whole_part = path.suffix == ".parquet" and path.stem.isdecimal()
        if path.name != ".lock" and not (same and (whole_part or path == told)):
            path.unlink()
    if not same:
        replace(told, lambda path: path.write_bytes(wanted))


def _written(desk: PartWriter, parts: list[int], settings: Settings, catalog: Catalog, processes: int) -> Iterator[int]:
    """Write the parts, in this process or shared out among others, and tell of each how many customers it is of."""
    if desk.recipe.model == "als" or min(processes, len(parts)) < 2:
        for number in parts:
            yield desk.write(number)
        return
    # Not forked: Polars and the compiled loops hold locks that a copy of this process would wait for for ever.
    with ProcessPoolExecutor(
        min(processes, len(parts)),
        mp_context=get_context("spawn"),
        initializer=_open_desk,
        initargs=(settings, catalog, desk.recipe, desk.folder),
    ) as pool:
        try:
            for finished in as_completed([pool.submit(_write_part, number) for number in parts]):
                yield finished.result()
        except BrokenProcessPool as error:
            raise RegularsError(
                "a worker process died, perhaps for lack of memory; the same command goes on where it was, with "
                "--processes 1 in less memory",
                where=str(desk.folder),
            ) from error
        finally:
            pool.shutdown(cancel_futures=True)


# The worker's own desk; empty in every other process.
_DESK: list[PartWriter] = []


def _open_desk(settings: Settings, catalog: Catalog, recipe: ExportSpec, folder: Path) -> None:
    """Make this process ready to write parts; the arrays it maps are shared with its siblings."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to hear
    threading.Thread(target=_die_with_parent, daemon=True).start()
    one_blas_thread()
    # The parent has compared every file with its hash.
    published = open_published(load(settings.artifacts_folder, recipe.version, verify=False))
    _DESK.append(PartWriter(published, ZoneMasks(published, catalog), recipe, folder, 1))


def _die_with_parent() -> None:
    parent = parent_process()
    if parent is not None:
        connection.wait([parent.sentinel])
        os._exit(1)


def _write_part(number: int) -> int:
    return _DESK[0].write(number)


def _join(parts: list[Path], whole: Path) -> int:
    """Write the parts as one file, in their order, without holding them; return how many rows there are."""
    scanned = pl.scan_parquet(parts, glob=False, schema=SCHEMA) if parts else pl.LazyFrame(schema=SCHEMA)
    scanned.sink_parquet(whole, compression="zstd", row_group_size=262_144, maintain_order=True)
    with whole.open("rb") as written:
        os.fsync(written.fileno())
    return int(pl.scan_parquet(whole, glob=False).select(pl.len()).collect().item())
