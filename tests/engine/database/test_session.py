"""The schema: migrations make what the rows say, on both databases, however often and from wherever they run."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Engine, inspect, select, text

import campaigns.rows
import engine.customers.consents
import engine.database.keys
import engine.events.inbox
import engine.segments.library
from engine.database.audit import AuditRow, record
from engine.database.session import MIGRATIONS, Base, _configure_sqlite, connect, migrate, newest_revision, transaction
from engine.errors import DatabaseUnavailable, InputError
from engine.settings import Settings
from tests.servers import free_port

assert engine.database.keys
assert campaigns.rows
assert engine.customers.consents
assert engine.segments.library


@pytest.fixture
def database(settings: Settings, database_url: str | None) -> Iterator[Engine]:
    opened = connect(replace(settings, database_url=database_url))
    yield opened
    opened.dispose()


def test_migrations_make_exactly_the_tables_and_columns_of_the_rows(database: Engine) -> None:
    found = inspect(database)
    tables = {name for name in found.get_table_names() if name != "alembic_version"}
    assert tables == set(Base.metadata.tables)
    for name, table in Base.metadata.tables.items():
        columns = {column["name"]: column["nullable"] for column in found.get_columns(name)}
        assert columns == {column.name: bool(column.nullable) for column in table.columns}, name


def test_nothing_but_indexes_differs_from_the_rows(database: Engine) -> None:
    with database.connect() as connection:
        differences = compare_metadata(MigrationContext.configure(connection), Base.metadata)
    serious = [change for change in differences if "index" not in str(change[0]) and "constraint" not in str(change[0])]
    assert serious == []


def test_migrating_again_changes_nothing(database: Engine) -> None:
    migrate(database)
    with database.connect() as connection:
        assert len(connection.execute(text("SELECT version_num FROM alembic_version")).all()) == 1


def test_the_newest_migration_is_the_one_alembic_ends_at() -> None:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    assert ScriptDirectory.from_config(config).get_current_head() == newest_revision()


def test_a_database_that_is_up_to_date_is_opened_without_alembic(settings: Settings) -> None:
    connect(settings).dispose()
    code = (
        "import sys\nfrom pathlib import Path\nfrom engine.database.session import connect\n"
        "from engine.settings import Settings\n"
        "connect(Settings.from_environment({}, home=Path(sys.argv[1]))).dispose(); assert 'alembic' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code, str(settings.home)], check=True)


def test_several_processes_may_open_a_new_database_at_once(settings: Settings, database_url: str | None) -> None:
    faults: list[BaseException] = []

    def open_it() -> None:
        try:
            connect(replace(settings, database_url=database_url)).dispose()
        except BaseException as error:
            faults.append(error)

    threads = [threading.Thread(target=open_it) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert faults == []


def test_many_connections_may_turn_a_new_sqlite_file_to_wal_at_once(tmp_path: Path) -> None:
    """Each round opens a new file from eight threads; with SQLite's busy timeout alone one round in ten failed."""
    faults: list[BaseException] = []

    def open_it(file: Path, together: threading.Barrier) -> None:
        connection = sqlite3.connect(file)
        together.wait()
        try:
            _configure_sqlite(connection, None)
        except BaseException as error:
            faults.append(error)
        connection.close()

    for number in range(60):
        together = threading.Barrier(8)
        threads = [threading.Thread(target=open_it, args=(tmp_path / f"{number}.db", together)) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert faults == []


def test_a_transaction_that_fails_leaves_nothing(database: Engine) -> None:
    now = datetime.now(UTC)

    def fails() -> None:
        with transaction(database) as session:
            record(session, now, actor="cli:test", action="try", target="x")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fails()
    with transaction(database) as session:
        assert session.scalars(select(AuditRow)).all() == []


@pytest.mark.parametrize("url", ["mysql://localhost/x", "nonsense", "postgresql+nothing://localhost/x"])
def test_an_unsupported_url_is_refused_in_one_line(settings: Settings, url: str) -> None:
    with pytest.raises(InputError, match="postgresql://") as raised:
        connect(replace(settings, database_url=url))
    assert raised.value.where == "REGULARS_DATABASE_URL"
    assert "\n" not in str(raised.value)


def test_the_error_of_a_database_that_does_not_answer_hides_its_password(settings: Settings) -> None:
    url = f"postgresql://me:hunter2@127.0.0.1:{free_port()}/x"
    with pytest.raises(DatabaseUnavailable, match="does not answer") as raised:
        connect(replace(settings, database_url=url))
    assert "hunter2" not in str(raised.value)
