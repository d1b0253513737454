"""The hash of files, worked out by a process of its own."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from engine.files.hashing import hash_aside, hash_of


def test_the_process_aside_gives_the_same_hashes_and_leaves_missing_files_out(tmp_path: Path) -> None:
    for name in ("one", "with space", "饭"):
        (tmp_path / name).write_bytes(name.encode() * 1000)
    found = hash_aside(tmp_path, ["one", "with space", "饭", "missing"])
    assert found == {name: hash_of(tmp_path / name) for name in ("one", "with space", "饭")}
    assert found["one"] == hashlib.sha256(b"one" * 1000).hexdigest()


def test_a_missing_file_has_no_hash(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        hash_of(tmp_path / "missing")
