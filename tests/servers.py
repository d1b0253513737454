"""Real servers for tests: throwaway PostgreSQL and Redis, or those named by the environment.

`postgres_url` and `redis_url` skip where neither is to be had, and the summary then says loudly what ran without them.
REGULARS_TEST_DATABASE_URL must name a user who may create databases.
"""

from __future__ import annotations

import contextlib
import os
import pwd
import secrets
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.engine import make_url

MISSING: dict[str, set[str]] = {}
TOOLS = {
    "PostgreSQL": "install postgresql, or set REGULARS_TEST_DATABASE_URL",
    "Redis": "install redis-server, or set REGULARS_TEST_REDIS_URL",
}


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[str | None]:
    """URL of a PostgreSQL server whose user may create databases; None where there is none."""
    given = os.environ.get("REGULARS_TEST_DATABASE_URL")
    if given:
        yield given.replace("postgresql://", "postgresql+psycopg://", 1)
        return
    binaries = _postgres_binaries()
    if binaries is None:
        yield None
        return
    with tempfile.TemporaryDirectory(prefix="regulars-pg-", ignore_cleanup_errors=True) as folder:
        yield from _throwaway_cluster(binaries, Path(folder))


@pytest.fixture
def postgres_url(postgres_server: str | None, request: pytest.FixtureRequest) -> Iterator[str]:
    """URL of a fresh database of this test alone."""
    if postgres_server is None:
        _skip("PostgreSQL", request)
    assert postgres_server is not None
    name = f"regulars_{secrets.token_hex(6)}"
    admin = create_engine(postgres_server, isolation_level="AUTOCOMMIT")
    with admin.connect() as connection:
        connection.execute(text(f"CREATE DATABASE {name}"))
    yield make_url(postgres_server).set(database=name).render_as_string(hide_password=False)
    with admin.connect() as connection:
        connection.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))
    admin.dispose()


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest) -> str | None:
    """Each database we support in turn: None (SQLite in the home folder), then a PostgreSQL URL."""
    if request.param == "sqlite":
        return None
    url: str = request.getfixturevalue("postgres_url")
    return url


@pytest.fixture(scope="session")
def redis_server() -> Iterator[str | None]:
    """URL of a Redis server; None where there is none."""
    given = os.environ.get("REGULARS_TEST_REDIS_URL")
    if given:
        yield given
        return
    binary = shutil.which("redis-server") or shutil.which("valkey-server")
    if binary is None:
        yield None
        return
    port = free_port()
    with tempfile.TemporaryDirectory(prefix="regulars-redis-") as folder:
        process = subprocess.Popen(
            [binary, "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--dir", folder],
            stdout=subprocess.DEVNULL,
        )
        try:
            _wait_for_port(port)
            yield f"redis://127.0.0.1:{port}/0"
        finally:
            process.terminate()
            process.wait(10)


@pytest.fixture
def redis_url(redis_server: str | None, request: pytest.FixtureRequest) -> str:
    """URL of a Redis with nothing in it."""
    if redis_server is None:
        _skip("Redis", request)
    assert redis_server is not None
    import redis

    with contextlib.closing(redis.Redis.from_url(redis_server)) as client:
        client.flushdb()
    return redis_server


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say loudly which suites ran without a real server."""
    for server, suites in sorted(MISSING.items()):
        terminalreporter.section(f"RAN WITHOUT {server.upper()}", sep="!", red=True, bold=True)
        terminalreporter.write_line(f"{server} was not found ({TOOLS[server]}); not run on it:", red=True)
        for suite in sorted(suites):
            terminalreporter.write_line(f"  {suite}", red=True)


def free_port() -> int:
    """Return a port nobody listens on at the moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _skip(server: str, request: pytest.FixtureRequest) -> None:
    MISSING.setdefault(server, set()).add(request.node.nodeid.split("::")[0])
    pytest.skip(f"{server} not found; {TOOLS[server]}")


def _postgres_binaries() -> Path | None:
    on_path = shutil.which("initdb")
    found = [Path(on_path).parent] if on_path else []
    # Debian keeps them off PATH, one folder a version; the newest first.
    found += sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda p: int(p.parent.name), reverse=True)
    return next((each for each in found if (each / "initdb").exists() and (each / "pg_ctl").exists()), None)


def _throwaway_cluster(binaries: Path, folder: Path) -> Iterator[str]:
    data, port = folder / "data", free_port()
    as_user: list[str] = []
    if os.geteuid() == 0:
        # initdb refuses to run as root.
        user = next(name for name in ("postgres", "nobody") if _exists(name))
        account = pwd.getpwnam(user)
        os.chown(folder, account.pw_uid, account.pw_gid)
        as_user = ["setpriv", f"--reuid={account.pw_uid}", f"--regid={account.pw_gid}", "--clear-groups"]
        if not shutil.which("setpriv"):
            as_user = ["runuser", "-u", user, "--"]

    def run(*words: str, check: bool = True) -> None:
        subprocess.run([*as_user, *words], check=check, cwd=folder, stdout=subprocess.DEVNULL)

    initdb = ["initdb", "-D", str(data), "-U", "regulars", "-A", "trust", "-E", "UTF8", "--no-sync", "--locale=C.UTF-8"]
    run(str(binaries / initdb[0]), *initdb[1:])
    options = f"-p {port} -c listen_addresses=127.0.0.1 -c unix_socket_directories={folder} -c fsync=off"
    control = [str(binaries / "pg_ctl"), "-D", str(data), "-w"]
    run(*control, "-o", options, "-l", str(folder / "log"), "start")
    try:
        yield f"postgresql+psycopg://regulars@127.0.0.1:{port}/postgres"
    finally:
        run(*control, "-m", "immediate", "stop", check=False)


def _exists(user: str) -> bool:
    try:
        pwd.getpwnam(user)
    except KeyError:
        return False
    return True


def _wait_for_port(port: int, seconds: float = 10.0) -> None:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=0.2):
            return
        time.sleep(0.02)
    raise TimeoutError(f"nothing listens on port {port}")
