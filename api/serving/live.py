"""What the service answers from: live artifact, catalogue and online state, kept fresh in the background."""

from __future__ import annotations

import asyncio
import ctypes
import fcntl
import gc
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from operator import attrgetter
from pathlib import Path

import numba
import numpy as np
import numpy.typing as npt
import polars as pl
import structlog
from fastapi.concurrency import run_in_threadpool
from sqlalchemy import Engine, select
from sqlalchemy.exc import OperationalError

import engine
from api.http.problems import NoModel
from engine.artifact import Artifact, Pause, live_version, load, no_pause, unmap
from engine.database.session import transaction
from engine.errors import OnlineUnavailable, RegularsError
from engine.events.event import Event
from engine.events.inbox import last_seq, read_after
from engine.events.online.kept import KEPT_DAYS, without_expired_dislikes
from engine.events.online.store import OnlineStore
from engine.history.tables import read_table, table_file
from engine.recommend.catalog.catalog import Catalog, catalog_of
from engine.recommend.home import DishRequest, recommend_dishes
from engine.recommend.options import FILE as OPTIONS_FILE
from engine.recommend.options import Options, read_options
from engine.recommend.published.model import PublishedModel, open_published
from engine.settings import Settings

LOOK_EVERY_S = 1.0
# After Redis failed, requests go without it for this long instead of each waiting for the same timeout.
SPARE_S = 1.0
FOLD_BATCH = 2_000
# While a version is taken in beside requests: how long its thread rests after every few milliseconds of work.
BREATH_S = 0.01
TURN = ".taking-in"
COMPILED = ".compiled"
ENGINE = Path(engine.__file__).parent
log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class ServingSnapshot:
    """One consistent pair: the models and the catalogue aligned with their items, the offers and how lists are made."""

    published: PublishedModel
    catalog: Catalog
    offers: pl.DataFrame
    options: Options = Options()


@dataclass(slots=True)
class ServingState:
    """Holds the pair requests read; a reload builds a new pair aside and replaces it in one assignment."""

    settings: Settings
    engine: Engine
    online: OnlineStore
    answering: ServingSnapshot | None = None
    online_state: str = "rebuilding"
    fault: str | None = None
    on_swap: Callable[[str], None] = lambda _version: None
    _artifact: Artifact | None = None
    _stamps: tuple[object, ...] = ()
    _spare_until: float = 0.0
    _tasks: list[asyncio.Task[None]] = field(default_factory=list)

    def require(self) -> ServingSnapshot:
        """Return what to answer from. Raises NoModel before the first artifact."""
        if self.answering is None:
            raise NoModel(self.fault or "nothing has been trained yet; run `regulars train`")
        return self.answering

    async def start(self) -> None:
        """Load what is there, rebuild the online state, then keep both fresh."""
        await self.refresh()
        await self.catch_up()
        self._tasks = [
            asyncio.create_task(self._forever(self.refresh)),
            asyncio.create_task(self._forever(self.catch_up)),
        ]

    async def stop(self) -> None:
        """End the background work."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self.online.close()

    async def refresh(self) -> None:
        """Swap in a new artifact or changed tables, if there are any; a broken one leaves the old pair in place."""
        stamps = self._seen_stamps()
        if stamps == self._stamps:
            return
        self._stamps = stamps
        try:
            fresh = await run_in_threadpool(self._load)
        except RegularsError as error:
            self.fault = f"{error.code}: {error}"
            log.error("reload_failed", code=error.code, detail=str(error))
            return
        self.fault = None
        if fresh is None:
            return
        old, (self.answering, artifact) = self.answering, fresh
        self.on_swap(self.answering.published.version)
        log.info("serving", version=self.answering.published.version)
        if artifact is not None:
            gone, self._artifact = self._artifact, artifact
            if gone is not None:
                held, arrays = [old], dict(gone.arrays)
                del old, gone
                # Requests under way end first.
                await asyncio.sleep(LOOK_EVERY_S)
                await run_in_threadpool(release, held, arrays)

    async def catch_up(self) -> None:
        """Fold what the inbox has and the online store lacks; after a flush, everything of the last 90 days."""
        try:
            through = await self.online.watermark()
            if through is None:
                self.online_state = "rebuilding"
            await self._fold_after(through)
            self.online_state = "ok"
        except OnlineUnavailable as error:
            if self.online_state != "down":
                log.warning("online_down", detail=str(error))
            self.online_state = "down"
        except OperationalError:
            log.warning("catch_up_waits", detail="the database does not answer")

    async def recent(self, customer_id: str | None, session_id: str | None = None) -> list[Event]:
        """Return the fresh events of a customer and of her session before she signed in, oldest first.

        None while the online store is away, and the state says so.
        """
        asked = customer_id or session_id
        if asked is None or time.monotonic() < self._spare_until:
            return []
        try:
            if session_id is None or session_id == asked:
                return without_expired_dislikes(await self.online.recent(asked), datetime.now(UTC))
            # Asked together they share a round trip.
            both = await asyncio.gather(self.online.recent(asked), self.online.recent(session_id))
            return without_expired_dislikes(sorted((*both[0], *both[1]), key=attrgetter("seq")), datetime.now(UTC))
        except OnlineUnavailable:
            self.online_state = "down"
            self._spare_until = time.monotonic() + SPARE_S
            return []

    async def fold(self, events: list[Event]) -> bool:
        """Make stored events count at once; False while the online store is away (the inbox keeps them for later)."""
        try:
            await self.online.fold(events)
        except OnlineUnavailable:
            self.online_state = "down"
            return False
        return True

    async def database_answers(self) -> bool:
        """Say whether the database answers now."""
        try:
            await run_in_threadpool(self._ask_database)
        except OperationalError:
            return False
        return True

    def _ask_database(self) -> None:
        with self.engine.connect() as connection:
            connection.execute(select(1))

    async def _fold_after(self, through: int | None) -> None:
        since = datetime.now(UTC) - timedelta(days=KEPT_DAYS) if through is None else None
        seq = through or 0
        while True:
            batch, end = await run_in_threadpool(self._next_events, seq, since)
            if batch:
                await self.online.fold(batch)
            seq = batch[-1].seq if len(batch) == FOLD_BATCH else max(seq, end)
            if batch or through is None:
                await self.online.advance(seq)
            if len(batch) < FOLD_BATCH:
                return

    def _next_events(self, seq: int, since: datetime | None) -> tuple[list[Event], int]:
        """Return up to a batch of events after `seq`, and the newest place at the time of asking."""
        with transaction(self.engine) as session:
            end = last_seq(session)
            batch: list[Event] = []
            if end > seq:
                for event in read_after(session, seq, since=since):
                    batch.append(event)
                    if len(batch) == FOLD_BATCH:
                        break
            return batch, end

    def _seen_stamps(self) -> tuple[object, ...]:
        tables = (table_file(self.settings, name) for name in ("items", "vendors", "offers"))
        files = (*tables, self.settings.home / OPTIONS_FILE)
        stats = [(path.stat().st_mtime_ns, path.stat().st_size) if path.exists() else None for path in files]
        return (live_version(self.settings.artifacts_folder), *stats)

    def _load(self) -> tuple[ServingSnapshot, Artifact | None] | None:
        """Return what is to be answered from now on, and its artifact where that is a new one."""
        with refresh_lock(self.settings.artifacts_folder) if self.answering is not None else nullcontext():
            version = live_version(self.settings.artifacts_folder)
            if version is None:
                return None
            current, artifact = self.answering, None
            if current is not None and current.published.version == version:
                published = current.published
            else:
                # Before the first answer nobody waits, and it should come soon.
                aside = None if current is None else yield_gil
                artifact = load(self.settings.artifacts_folder, version, pause=aside)
                published = open_published(artifact, pause=aside or no_pause)
            pause = no_pause if current is None else yield_gil
            items, vendors = read_table(self.settings, "items"), read_table(self.settings, "vendors")
            catalog = catalog_of(published, items, vendors, timezone=self.settings.timezone, pause=pause)
            pause()
            fresh = ServingSnapshot(
                published, catalog, read_table(self.settings, "offers"), read_options(self.settings.home)
            )
            pause()
            warm_up(fresh, pause)
            give_back_memory()
            # What stays for as long as the version does need not be looked through at every collection of garbage.
            gc.freeze()
            return fresh, artifact

    async def _forever(self, work: Callable[[], object]) -> None:
        while True:
            await asyncio.sleep(LOOK_EVERY_S)
            try:
                await work()  # type: ignore[misc]
            except Exception:
                # The loop outlives whatever went wrong in one round; the next round tries again.
                log.exception("background_round_failed", pid=os.getpid())


@contextmanager
def refresh_lock(folder: Path) -> Iterator[None]:
    """Let the processes of a service take a version in one after another: each wants a core, and so do requests."""
    try:
        file = (folder / TURN).open("w")
    except OSError:  # nothing was trained yet, or the folder may only be read
        yield
        return
    with file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def yield_gil() -> None:
    """Let requests that have waited for Python's lock catch up."""
    time.sleep(BREATH_S)


def release(old: list[ServingSnapshot | None], arrays: dict[str, npt.NDArray[np.generic]]) -> None:
    """Drop a version that answers no more, bit by bit: unmapping it at once would hold requests up for 20 ms."""
    old.clear()
    unmap(arrays, yield_gil)
    give_back_memory()


def warm_up(answering: ServingSnapshot, pause: Pause = no_pause) -> None:
    """Answer for a stranger and for a regular, so that what is compiled or mapped late is so before anybody asks."""
    published = answering.published
    now = datetime.now(UTC)
    for customer_id in (None, *([published.customers.name(0)] if len(published.customers) else [])):
        asked = DishRequest(customer_id, 1, now, options=answering.options, request_id="warm-up")
        recommend_dishes(published, answering.catalog, asked, [])
        pause()


def compile_ahead(settings: Settings) -> None:
    """Answer once from the live version where this release has not yet, so that its loops are compiled and kept.

    Whoever compiles holds a hundred megabytes more for as long as it lives: for a process that ends after it. Without a
    version, or with a broken one, nothing is done.
    """
    folder = settings.artifacts_folder
    version, kept, release = live_version(folder), folder / COMPILED, release_stamp()
    with suppress(RegularsError, OSError):
        if version is None or (kept.exists() and kept.read_text(encoding="utf-8") == release):
            return
        published = open_published(load(folder, version, verify=False))
        items, vendors = read_table(settings, "items"), read_table(settings, "vendors")
        catalog = catalog_of(published, items, vendors, timezone=settings.timezone)
        warm_up(ServingSnapshot(published, catalog, read_table(settings, "offers"), read_options(settings.home)))
        kept.write_text(release, encoding="utf-8")


def release_stamp() -> str:
    """Return what changes with every release installed here: what compiles, and the newest file of what is compiled."""
    return f"{numba.__version__} {max(file.stat().st_mtime_ns for file in ENGINE.rglob('*.py'))}"


def give_back_memory() -> None:
    """Return what reading tables left free in the heap; a worker keeps it otherwise for as long as it lives."""
    try:
        ctypes.CDLL("libc.so.6").malloc_trim(0)
    except (OSError, AttributeError):  # another C library, which has its own ways
        return
