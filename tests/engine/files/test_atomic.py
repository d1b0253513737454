"""Files change whole or not at all, and one writer at a time."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.errors import Conflict
from engine.files import atomic


def test_a_replaced_file_is_never_half(tmp_path: Path) -> None:
    target = tmp_path / "file"
    target.write_text("old")

    def fail(path: Path) -> None:
        path.write_text("ha")
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        atomic.replace(target, fail)
    assert target.read_text() == "old"
    assert list(tmp_path.iterdir()) == [target]


def test_a_replaced_file_has_the_new_content_and_the_mode_asked_for(tmp_path: Path) -> None:
    target = tmp_path / "file"
    target.write_text("old")
    atomic.replace(target, lambda path: path.write_text("new"), mode=0o600)
    assert target.read_text() == "new"
    assert target.stat().st_mode & 0o777 == 0o600


def test_a_folder_has_one_writer_at_a_time(tmp_path: Path) -> None:
    folder = tmp_path / "made"
    with atomic.locked(folder), pytest.raises(Conflict, match=r"waited 0 s"), atomic.locked(folder, wait_s=0):
        pass
    with atomic.locked(folder, wait_s=0):
        assert folder.is_dir()
