"""A channel that writes what would have been sent to a file: one JSON line per message id, at most one ever.

Several workers may write one file: each write happens under the file's lock, after reading what others added. A line
that a killed process left unfinished is cut off before the next write, and its message is written anew. The file holds
names in the clear, so only its owner can read it.
"""

from __future__ import annotations

import asyncio
import fcntl
import os
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self

import orjson

from campaigns.channels.base import Outgoing, SendOutcome
from campaigns.channels.registry import ChannelSpec, SendOptions, register_channel
from engine.errors import BadFile
from engine.settings import Settings


class RecordingChannel:
    """Appends to `file`; messages that wait for the lock together share one write and one fsync."""

    name = "recording"

    def __init__(self, file: Path) -> None:
        self._path = file
        self._file: BinaryIO | None = None
        self._read_to = 0
        self._known: set[str] = set()
        self._waiting: list[tuple[Outgoing, asyncio.Future[SendOutcome]]] = []
        self._append_lock = asyncio.Lock()

    async def __aenter__(self) -> Self:
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as error:
            raise BadFile(
                f"cannot be written ({error.strerror}); check the home folder", where=str(self._path)
            ) from error
        self._file = os.fdopen(descriptor, "r+b", buffering=0)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None

    async def send(self, message: Outgoing) -> SendOutcome:
        done: asyncio.Future[SendOutcome] = asyncio.get_running_loop().create_future()
        self._waiting.append((message, done))
        async with self._append_lock:
            batch, self._waiting = self._waiting, []
            if batch:
                outcome = await asyncio.to_thread(self._append, [message for message, _ in batch])
                for _, waiting in batch:
                    if not waiting.done():
                        waiting.set_result(outcome)
        return await done

    def _append(self, messages: Iterable[Outgoing]) -> SendOutcome:
        if self._file is None:
            raise RuntimeError("the channel is not open")
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX)
            try:
                self._catch_up(self._file)
                fresh = {each.message_id: each for each in messages if each.message_id not in self._known}
                if fresh:
                    lines = b"".join(orjson.dumps(each.as_json()) + b"\n" for each in fresh.values())
                    _write_all(self._file, lines)
                # Also for ids seen before: a line of a process killed before its fsync may not be on the disk yet.
                os.fsync(self._file.fileno())
                self._known.update(fresh)
                self._read_to = self._file.tell() if fresh else self._read_to
            finally:
                fcntl.flock(self._file, fcntl.LOCK_UN)
        except OSError as error:
            return SendOutcome("retry", f"{self._path.name}: {error.strerror}")
        return SendOutcome("sent")

    def _catch_up(self, file: BinaryIO) -> None:
        """Read the ids others wrote since the last look, and cut off an unfinished last line."""
        if os.fstat(file.fileno()).st_size < self._read_to:
            # The file was emptied or replaced.
            self._read_to, self._known = 0, set()
        file.seek(self._read_to)
        added = file.readall()  # type: ignore[attr-defined]
        whole = added.rfind(b"\n") + 1
        for line in added[:whole].splitlines():
            try:
                self._known.add(str(orjson.loads(line)["message_id"]))
            except (orjson.JSONDecodeError, KeyError, TypeError):
                continue  # not a line of ours
        if whole < len(added):
            file.truncate(self._read_to + whole)
        self._read_to += whole
        file.seek(self._read_to)


def _write_all(file: BinaryIO, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[file.write(view) :]


def _build(settings: Settings, options: SendOptions) -> RecordingChannel:
    del options
    return RecordingChannel(settings.recording_file)


register_channel(ChannelSpec(name=RecordingChannel.name, build=_build))
