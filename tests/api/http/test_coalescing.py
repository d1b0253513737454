"""An answer's head and body leave together, and nothing else about a connection changes."""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
import uvicorn

from api.http.coalescing import CoalescingProtocol, HeaderBuffer
from api.process.workers import configured


class Recorder(asyncio.Transport):
    """A transport that remembers what it was told."""

    def __init__(self) -> None:
        super().__init__()
        self.written: list[bytes] = []
        self.closed = False

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.written.append(bytes(data))

    def close(self) -> None:
        self.closed = True

    def is_closing(self) -> bool:
        return self.closed


def test_the_head_waits_for_the_body() -> None:
    below = Recorder()
    joined = HeaderBuffer(below)
    joined.write(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n")
    assert below.written == []
    joined.write(b"{}")
    joined.write(b"more")
    assert below.written == [b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}", b"more"]


def test_an_answer_without_a_body_is_sent_too() -> None:
    below = Recorder()
    joined = HeaderBuffer(below)
    joined.write(b"HTTP/1.1 204 No Content\r\n\r\n")
    joined.write(b"")
    assert below.written == [b"HTTP/1.1 204 No Content\r\n\r\n"]


def test_a_head_alone_is_not_lost_when_the_connection_is_closed() -> None:
    below = Recorder()
    joined = HeaderBuffer(below)
    joined.write(b"HTTP/1.1 200 OK\r\n\r\n")
    joined.close()
    assert below.written == [b"HTTP/1.1 200 OK\r\n\r\n"]
    assert joined.is_closing()


def test_who_waits_for_leave_to_send_the_body_gets_it_at_once() -> None:
    below = Recorder()
    HeaderBuffer(below).write(b"HTTP/1.1 100 Continue\r\n\r\n")
    assert below.written == [b"HTTP/1.1 100 Continue\r\n\r\n"]


async def echo(scope: Any, receive: Any, send: Any) -> None:
    """Answer with the body that was sent; on /broken fail after the head."""
    if scope["type"] != "http":
        return
    body = (await receive())["body"]
    headers = [(b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    if scope["path"] == "/broken":
        raise RuntimeError("broken on purpose")
    await send({"type": "http.response.body", "body": body})


@pytest.fixture
def port() -> Iterator[int]:
    bound = socket.create_server(("127.0.0.1", 0))
    config = configured(echo)
    assert config.http is CoalescingProtocol
    config.lifespan, config.log_level = "off", "critical"
    config.configure_logging()
    server = uvicorn.Server(config)
    thread = threading.Thread(target=asyncio.run, args=(server.serve(sockets=[bound]),))
    thread.start()
    while not server.started:
        time.sleep(0.01)
    yield bound.getsockname()[1]
    server.should_exit = True
    thread.join(10)
    bound.close()


def said_to(port: int, *parts: bytes) -> bytes:
    """Send parts a moment apart and return all that comes back until the server closes."""
    with socket.create_connection(("127.0.0.1", port), timeout=5) as line:
        got = b""
        for part in parts:
            line.sendall(part)
            time.sleep(0.05)
        while chunk := line.recv(65536):
            got += chunk
    return got


def test_one_connection_carries_several_answers(port: int) -> None:
    ask = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n"
    got = said_to(port, ask + b"\r\none", ask + b"Connection: close\r\n\r\ntwo")
    assert got.count(b"HTTP/1.1 200 OK") == 2
    assert [part.rpartition(b"\r\n\r\n")[2] for part in got.split(b"HTTP/1.1 ")[1:]] == [b"one", b"two"]


def test_an_answer_arrives_whole_in_one_packet(port: int) -> None:
    with socket.create_connection(("127.0.0.1", port), timeout=5) as line:
        line.sendall(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\none")
        assert line.recv(65536).endswith(b"\r\n\r\none")


def test_a_body_that_waits_for_leave_is_asked_for(port: int) -> None:
    head = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nExpect: 100-continue\r\nConnection: close\r\n\r\n"
    got = said_to(port, head, b"one")
    assert got.startswith(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n")
    assert got.endswith(b"one")


def test_what_is_no_request_is_told_so(port: int) -> None:
    assert said_to(port, b"nonsense\r\n\r\n").startswith(b"HTTP/1.1 400 ")


def test_a_failure_after_the_head_closes_the_connection(port: int) -> None:
    got = said_to(port, b"POST /broken HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\none")
    assert got.startswith(b"HTTP/1.1 200 OK")
    assert not got.endswith(b"one")


def test_who_wants_a_websocket_gets_an_ordinary_answer(port: int) -> None:
    head = b"GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
    with socket.create_connection(("127.0.0.1", port), timeout=5) as line:
        line.sendall(head + b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n")
        assert line.recv(65536).startswith(b"HTTP/1.1 200 OK")
