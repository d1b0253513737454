"""The load generator counts every question it sent."""

from __future__ import annotations

import asyncio
from asyncio.streams import StreamReader, StreamWriter
from collections.abc import Callable
from typing import Any

import pytest

from benchmarks.load import QUESTION, _drive
from tests.present import there


async def driven(answer: Callable[..., Any], many: int) -> Any:
    """Drive `many` requests in a tenth of a second at a server that answers as `answer` (number, writer) does."""
    asked: list[bytes] = []
    serving: set[asyncio.Task[Any]] = set()

    async def serve(reader: StreamReader, writer: StreamWriter) -> None:
        serving.add(there(asyncio.current_task()))
        answering = True
        while answering:
            try:
                head = await reader.readuntil(b"\r\n\r\n")
            except asyncio.IncompleteReadError:
                break
            length = int(head.lower().partition(b"content-length: ")[2].split(b"\r\n")[0])
            asked.append(await reader.readexactly(length))
            answering = await answer(len(asked), writer)
        writer.close()
        await writer.wait_closed()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    found = await _drive(f"http://127.0.0.1:{port}/v1/recommend/dishes", "key", ["c1"], many * 10, 0.1)
    server.close()
    await asyncio.gather(*serving)
    return found, asked


async def in_two_parts(_number: object, writer: StreamWriter) -> bool:
    writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nab")
    await writer.drain()
    await asyncio.sleep(0.005)
    writer.write(b"cd")
    return True


async def every_third_is_refused(number: int, writer: StreamWriter) -> bool:
    status = b"503 No" if number % 3 == 0 else b"200 OK"
    writer.write(b"HTTP/1.1 " + status + b"\r\nContent-Length: 0\r\n\r\n")
    return True


async def every_second_hangs_up(number: int, writer: StreamWriter) -> bool:
    if number % 2:
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")
    return bool(number % 2)


def test_every_question_is_sent_once_and_timed_from_when_it_was_due() -> None:
    late, asked = asyncio.run(driven(in_two_parts, 30))
    assert asked == [QUESTION.replace("WHO", "c1").encode()] * 30
    assert late.failed == 0
    assert sorted(late.at) == pytest.approx([i / 300 for i in range(30)], abs=1e-6)
    assert min(late.ms) >= 5


def test_refusals_and_broken_connections_count_as_failed() -> None:
    refused, _ = asyncio.run(driven(every_third_is_refused, 30))
    assert (len(refused.ms), refused.failed) == (30, 10)
    broken, asked = asyncio.run(driven(every_second_hangs_up, 30))
    assert len(asked) == 30
    assert (len(broken.ms), broken.failed) == (30, 15)


def test_nobody_there_is_no_success() -> None:
    late = asyncio.run(_drive("http://127.0.0.1:9/x", "key", ["c1"], 50, 0.1))
    assert late.failed == len(late.ms) == 5
