"""The durable rows: engine, session and schema, on SQLite (WAL) or PostgreSQL.

Rows live in the room that owns them and derive from `Base`; one Alembic tree creates them all.
Domain code flushes and never commits: the edge (a request, a job batch, a claim) opens one `Session`
in a `with` block and commits it.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import (
    Connection,
    Engine,
    create_engine,
    event,
    inspect,
    text,
)
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, NoSuchModuleError, OperationalError
from sqlalchemy.orm import DeclarativeBase, Session

from engine.errors import DatabaseUnavailable, InputError
from engine.settings import Settings

MIGRATIONS = Path(__file__).parent / "migrations"
BUSY_SECONDS = 15
"""How long a writer waits for SQLite's other writers."""


class Base(DeclarativeBase):
    """Parent of every row class."""


def database_url(settings: Settings) -> str:
    """Return the SQLAlchemy URL in force; plain `postgresql://` gets the psycopg 3 driver."""
    if settings.database_url is None:
        return f"sqlite:///{(settings.home / 'regulars.db').as_posix()}"
    for plain in ("postgresql://", "postgres://"):
        if settings.database_url.startswith(plain):
            return "postgresql+psycopg://" + settings.database_url.removeprefix(plain)
    return settings.database_url


def exists(settings: Settings) -> bool:
    """Return whether there is a database to read, so that a command that only reads makes none."""
    return settings.database_url is not None or (settings.home / "regulars.db").exists()


def connect(settings: Settings) -> Engine:
    """Open the database and bring its schema up to date.

    Raises InputError for a URL of an unsupported database, DatabaseUnavailable when it does not answer.
    """
    where = "REGULARS_DATABASE_URL" if settings.database_url else str(settings.home)
    try:
        url = make_url(database_url(settings))
        if url.get_backend_name() not in {"sqlite", "postgresql"}:
            raise InputError(f"{url.get_backend_name()!r} is not supported; use postgresql:// or unset it", where=where)
        if url.get_backend_name() == "sqlite":
            settings.home.mkdir(parents=True, exist_ok=True)
        engine = create_engine(url, pool_pre_ping=True)
    except (ArgumentError, NoSuchModuleError) as error:
        raise InputError("not a database URL such as postgresql://user:password@host/name", where=where) from error
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", _configure_sqlite)
        event.listen(engine, "begin", _begin_sqlite)
    try:
        migrate(engine)
    except OperationalError as error:
        engine.dispose()
        raise DatabaseUnavailable(
            f"the database does not answer ({_first_line(error)}); check that it runs and the URL is right",
            where=where,
        ) from error
    return engine


def migrate(engine: Engine) -> None:
    """Bring the schema to the newest revision; safe to run from several processes at once."""
    with engine.begin() as connection:
        if engine.dialect.name == "postgresql":
            # One process migrates; the others wait and find the schema up to date.
            connection.execute(text("SELECT pg_advisory_xact_lock(727274)"))
        if _revision(connection) == newest_revision():
            return
        # Imported here because it takes eleven megabytes, and most processes never migrate.
        from alembic import command  # noqa: PLC0415
        from alembic.config import Config  # noqa: PLC0415

        config = Config()
        config.set_main_option("script_location", str(MIGRATIONS))
        config.attributes["connection"] = connection
        command.upgrade(config, "head")


def newest_revision() -> str:
    """Return the revision of the newest migration: its file's name begins with it."""
    return max(file.name.partition("_")[0] for file in (MIGRATIONS / "versions").glob("[0-9]*_*.py"))


def _revision(connection: Connection) -> str | None:
    """Return the schema's revision, None where there is no schema yet."""
    if not inspect(connection).has_table("alembic_version"):
        return None
    found = connection.scalar(text("SELECT version_num FROM alembic_version"))
    return None if found is None else str(found)


@contextmanager
def transaction(engine: Engine) -> Iterator[Session]:
    """One unit of work: committed when the block ends, rolled back when it raises."""
    with Session(engine, expire_on_commit=False) as session, session.begin():
        yield session


def _configure_sqlite(connection: Any, _record: object) -> None:
    # The driver's own BEGIN comes too late for snapshot reads; `_begin_sqlite` sends it instead.
    connection.isolation_level = None
    cursor = connection.cursor()
    for pragma in (f"busy_timeout={BUSY_SECONDS * 1000}", "synchronous=FULL", "foreign_keys=ON"):
        cursor.execute(f"PRAGMA {pragma}")
    # SQLite ignores its busy timeout while two connections turn a new file to WAL, so this loop waits.
    give_up = time.monotonic() + BUSY_SECONDS
    while True:
        try:
            cursor.execute("PRAGMA journal_mode=WAL")
            break
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > give_up:
                raise
            time.sleep(0.01)
    cursor.close()


def _begin_sqlite(connection: Any) -> None:
    # IMMEDIATE takes the write lock up front: a read that later writes cannot fail with "database is locked".
    connection.exec_driver_sql("BEGIN IMMEDIATE")


def _first_line(error: OperationalError) -> str:
    return str(error.orig).strip().splitlines()[0] if error.orig else "no reason given"
