"""The recording file survives torn writes, foreign lines and its own disappearance."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import orjson
import pytest

from campaigns.channels.base import Outgoing
from campaigns.channels.recording import RecordingChannel
from engine.errors import BadFile

HELLO = Outgoing(
    message_id="msg_1",
    campaign_id="w",
    run_id=1,
    step="message",
    customer_id="c1",
    language="en",
    title="T",
    body="B",
    coupon_code=None,
)


def ids(file: Path) -> list[str]:
    return [orjson.loads(line)["message_id"] for line in file.read_bytes().splitlines()]


@pytest.mark.parametrize("cut", [1, 20, 60])
async def test_a_torn_last_line_is_cut_off_and_written_anew(tmp_path: Path, cut: int) -> None:
    file = tmp_path / "recording.ndjson"
    async with RecordingChannel(file) as channel:
        await channel.send(HELLO)
        await channel.send(replace(HELLO, message_id="msg_2"))
    file.write_bytes(file.read_bytes()[:-cut])
    async with RecordingChannel(file) as channel:
        await channel.send(replace(HELLO, message_id="msg_2"))
        await channel.send(HELLO)
    assert ids(file) == ["msg_1", "msg_2"]


async def test_a_line_torn_while_the_channel_is_open_is_cut_off_too(tmp_path: Path) -> None:
    file = tmp_path / "recording.ndjson"
    async with RecordingChannel(file) as channel:
        await channel.send(HELLO)
        with file.open("ab") as other:
            other.write(b'{"message_id":"msg_9","camp')
        await channel.send(replace(HELLO, message_id="msg_2"))
    assert ids(file) == ["msg_1", "msg_2"]


async def test_only_the_owner_may_read_it(tmp_path: Path) -> None:
    file = tmp_path / "recording.ndjson"
    async with RecordingChannel(file) as channel:
        await channel.send(HELLO)
    assert file.stat().st_mode & 0o777 == 0o600


async def test_a_file_emptied_by_hand_is_written_from_its_start(tmp_path: Path) -> None:
    file = tmp_path / "recording.ndjson"
    async with RecordingChannel(file) as channel:
        await channel.send(HELLO)
        file.write_bytes(b"")
        await channel.send(HELLO)
    assert ids(file) == ["msg_1"]


async def test_a_folder_that_cannot_be_written_is_said_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "outbox").write_text("a file, not a folder")
    with pytest.raises(BadFile, match="cannot be written"):
        async with RecordingChannel(tmp_path / "outbox" / "recording.ndjson"):
            pass
