"""Keeps the snapshot fresh: a new artifact or changed tables are built aside and swapped in whole."""

from __future__ import annotations

import asyncio
import fcntl
import gc
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass
from pathlib import Path

import numba
import numpy as np
import numpy.typing as npt
import structlog
from fastapi.concurrency import run_in_threadpool

import engine
from api.serving.snapshot import ServingSnapshot, warm_up
from engine.artifact import Artifact, live_version, load, no_pause, unmap
from engine.errors import RegularsError
from engine.history.tables import read_table, table_file
from engine.recommend.catalog.catalog import catalog_of
from engine.recommend.options import FILE as OPTIONS_FILE
from engine.recommend.options import read_options
from engine.recommend.published.model import open_published
from engine.runtime.memory import trim_heap
from engine.settings import Settings

LOOK_EVERY_S = 1.0
# While a version is taken in beside requests: how long its thread rests after every few milliseconds of work.
REST_S = 0.01
LOCK_FILE = ".taking-in"
COMPILED = ".compiled"
ENGINE = Path(engine.__file__).parent
log = structlog.get_logger()


@dataclass(slots=True)
class SnapshotRefresher:
    """Holds the snapshot that requests read and replaces it in one assignment; `fault` is why the newest failed."""

    settings: Settings
    snapshot: ServingSnapshot | None = None
    fault: str | None = None
    on_swap: Callable[[str], None] = lambda _version: None
    _artifact: Artifact | None = None
    _stamps: tuple[object, ...] = ()

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
        old, (self.snapshot, artifact) = self.snapshot, fresh
        self.on_swap(self.snapshot.published.version)
        log.info("serving", version=self.snapshot.published.version)
        if artifact is not None:
            gone, self._artifact = self._artifact, artifact
            if gone is not None:
                held, arrays = [old], dict(gone.arrays)
                del old, gone
                # Requests under way end first.
                await asyncio.sleep(LOOK_EVERY_S)
                await run_in_threadpool(release, held, arrays)

    def _seen_stamps(self) -> tuple[object, ...]:
        tables = (table_file(self.settings, name) for name in ("items", "vendors", "offers"))
        files = (*tables, self.settings.home / OPTIONS_FILE)
        stats = [(path.stat().st_mtime_ns, path.stat().st_size) if path.exists() else None for path in files]
        return (live_version(self.settings.artifacts_folder), *stats)

    def _load(self) -> tuple[ServingSnapshot, Artifact | None] | None:
        """Return what is to be answered from now on, and its artifact where that is a new one."""
        with refresh_lock(self.settings.artifacts_folder) if self.snapshot is not None else nullcontext():
            version = live_version(self.settings.artifacts_folder)
            if version is None:
                return None
            current, artifact = self.snapshot, None
            if current is not None and current.published.version == version:
                published = current.published
            else:
                # Before the first answer nobody waits, and it should come soon.
                aside = None if current is None else yield_gil
                artifact = load(self.settings.artifacts_folder, version, pause=aside)
                published = open_published(artifact, pause=aside or no_pause)
            pause = no_pause if current is None else yield_gil
            items, vendors = read_table(self.settings, "items"), read_table(self.settings, "vendors")
            home = self.settings
            catalog = catalog_of(published, items, vendors, timezone=home.timezone, language=home.language, pause=pause)
            pause()
            fresh = ServingSnapshot(
                published, catalog, read_table(self.settings, "offers"), read_options(self.settings.home)
            )
            pause()
            warm_up(fresh, pause)
            trim_heap()
            # What stays for as long as the version does need not be looked through at every collection of garbage.
            gc.freeze()
            return fresh, artifact


@contextmanager
def refresh_lock(folder: Path) -> Iterator[None]:
    """Let the processes of a service take a version in one after another: each wants a core, and so do requests."""
    try:
        file = (folder / LOCK_FILE).open("w")
    except OSError:  # nothing was trained yet, or the folder may only be read
        yield
        return
    with file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def yield_gil() -> None:
    """Let requests that have waited for Python's lock catch up."""
    time.sleep(REST_S)


def release(old: list[ServingSnapshot | None], arrays: dict[str, npt.NDArray[np.generic]]) -> None:
    """Drop a version that answers no more, bit by bit: unmapping it at once would hold requests up for 20 ms."""
    old.clear()
    unmap(arrays, yield_gil)
    trim_heap()


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
        catalog = catalog_of(published, items, vendors, timezone=settings.timezone, language=settings.language)
        warm_up(ServingSnapshot(published, catalog, read_table(settings, "offers"), read_options(settings.home)))
        kept.write_text(release, encoding="utf-8")


def release_stamp() -> str:
    """Return what changes with every release installed here: what compiles, and the newest file of what is compiled."""
    return f"{numba.__version__} {max(file.stat().st_mtime_ns for file in ENGINE.rglob('*.py'))}"
