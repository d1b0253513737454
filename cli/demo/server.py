"""The real server as a child process, and a client that asks it over HTTP as an ordering app would."""

from __future__ import annotations

import contextlib
import http.client
import json
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from engine.errors import Unavailable

READY_WITHIN_S = 60.0
STOP_WITHIN_S = 10.0
COMMAND = [sys.executable, "-P", "-c", "from cli.main import run; run()", "serve", "--json"]


@dataclass(frozen=True, slots=True)
class Client:
    """Asks the server at `address` with an API key."""

    address: str
    key: str

    def get(self, path: str) -> dict[str, Any]:
        """Return the JSON answer. Raises Unavailable for anything but 2xx."""
        return self._ask("GET", path, None)

    def post(self, path: str, body: Mapping[str, object]) -> dict[str, Any]:
        """Return the JSON answer. Raises Unavailable for anything but 2xx."""
        return self._ask("POST", path, json.dumps(body))

    def _ask(self, method: str, path: str, body: str | None) -> dict[str, Any]:
        headers = {"Authorization": f"Bearer {self.key}", "Content-Type": "application/json"}
        connection = http.client.HTTPConnection(urlsplit(self.address).netloc, timeout=30)
        try:
            connection.request(method, path, body, headers)
            answer = connection.getresponse()
            text = answer.read()
        except OSError as error:
            raise Unavailable(f"the server does not answer ({error})", where=f"{method} {path}") from error
        finally:
            connection.close()
        if not 200 <= answer.status < 300:
            raise Unavailable(f"the server answered {answer.status}: {text.decode()[:200]}", where=f"{method} {path}")
        found: dict[str, Any] = json.loads(text)
        return found


@dataclass(frozen=True, slots=True)
class Server:
    """A running server: where it listens, and its process."""

    address: str
    process: subprocess.Popen[bytes]


@contextmanager
def running_server(environment: Mapping[str, str], *, port: int, log: Path) -> Iterator[Server]:
    """Start `regulars serve` and yield it once it is ready; however the block ends, the child is stopped.

    Raises Unavailable with the child's own last words when it does not come up.
    """
    with log.open("wb") as errors:
        child = subprocess.Popen(  # noqa: S603 - our own command
            [*COMMAND, "--port", str(port)], env=dict(environment), stdout=subprocess.PIPE, stderr=errors
        )
        try:
            address = _address(child, log)
            _wait_until_ready(child, address, log)
            yield Server(address, child)
        finally:
            _stop(child)


def _address(child: subprocess.Popen[bytes], log: Path) -> str:
    assert child.stdout is not None  # noqa: S101 - it was asked for
    text = b""
    for line in child.stdout:
        text += line
        with contextlib.suppress(json.JSONDecodeError):
            return str(json.loads(text)["address"])
    raise Unavailable(f"it did not start: {_last_words(log)}", where="regulars serve")


def _wait_until_ready(child: subprocess.Popen[bytes], address: str, log: Path) -> None:
    end = time.monotonic() + READY_WITHIN_S
    while time.monotonic() < end:
        if child.poll() is not None:
            raise Unavailable(f"it ended at once: {_last_words(log)}", where="regulars serve")
        with contextlib.suppress(Unavailable):
            if Client(address, "").get("/health/ready")["status"] == "ready":
                return
        time.sleep(0.05)
    raise Unavailable(f"not ready after {READY_WITHIN_S:g} s: {_last_words(log)}", where="regulars serve")


def _stop(child: subprocess.Popen[bytes]) -> None:
    if child.poll() is None:
        child.terminate()
    try:
        child.wait(STOP_WITHIN_S)
    except (subprocess.TimeoutExpired, KeyboardInterrupt):
        # Slow, or Ctrl-C came twice: nothing of the demo may go on running.
        child.kill()
        child.wait()
    finally:
        if child.stdout is not None:
            child.stdout.close()


def _last_words(log: Path) -> str:
    lines = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
    return lines[-1][:300] if lines else "it said nothing"
