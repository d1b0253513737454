"""Where the demo lives: a folder that is its own, told by a marker, and never one that holds anything else."""

from __future__ import annotations

import fcntl
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import orjson

from demo.world import CURRENCY, TIMEZONE
from engine.errors import BadFile, Conflict, InputError
from engine.settings import Settings

MARKER = "demo.json"
LOCK = ".demo.lock"
# What a home of ours consists of: the only names a rebuild removes.
OURS = (
    "history", "tables", "artifacts", "quarantine", "outbox", "city", "regulars.db", "regulars.db-wal",
    "regulars.db-shm", "secret.key", "serve.log",
)  # fmt: skip


def home_of(home: Path | None, environment: Mapping[str, str]) -> Path:
    """Return the folder in force: the one given, else `demo` inside the usual home, so that real data stays apart."""
    return home or Settings.from_environment(environment).home / "demo"


def demo_settings(home: Path) -> Settings:
    """Return settings of the demo alone: SQLite and the in-process store, whatever the environment names."""
    return Settings.from_environment(_own(), home=home)


def child_environment(environment: Mapping[str, str], home: Path) -> dict[str, str]:
    """Return the environment of a server child: nothing of ours but what the demo itself sets."""
    foreign = {name: value for name, value in environment.items() if not name.startswith("REGULARS_")}
    return {**foreign, **_own(), "REGULARS_HOME": str(home.resolve()), "REGULARS_LOG_LEVEL": "warning"}


def _own() -> dict[str, str]:
    return {"REGULARS_CURRENCY": CURRENCY, "REGULARS_TIMEZONE": TIMEZONE}


@contextmanager
def claimed(home: Path) -> Iterator[datetime | None]:
    """Hold the home for this demo and empty it of an earlier one; yields when that was built, None in a new folder.

    Raises Conflict for a folder that holds something else or in which another demo runs, InputError for a file.
    """
    if home.exists() and not home.is_dir():
        raise InputError("is a file; name a folder", where=str(home))
    if home.exists() and not (home / MARKER).exists() and any(home.iterdir()):
        raise Conflict("holds data that is not the demo's; name a new or empty folder with --home", where=str(home))
    try:
        home.mkdir(parents=True, exist_ok=True)
        with (home / LOCK).open("a") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise Conflict("another demo runs in this folder; stop it or name another", where=str(home)) from error
            before = _built_at(home)
            # The marker goes first: a demo killed half-way must find its folder again.
            (home / MARKER).write_bytes(orjson.dumps({"built_at": datetime.now(UTC)}))
            _empty(home)
            yield before
    except PermissionError as error:
        raise BadFile("cannot be written; choose another folder with --home", where=str(home)) from error


def _built_at(home: Path) -> datetime | None:
    try:
        return datetime.fromisoformat(orjson.loads((home / MARKER).read_bytes())["built_at"])
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, TypeError) as error:
        raise BadFile(
            "is no marker of a demo; remove the folder or name another with --home", where=str(home / MARKER)
        ) from error


def _empty(home: Path) -> None:
    for name in OURS:
        path = home / name
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)
