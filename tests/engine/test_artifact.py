"""Publishing whole or not at all, and refusing what was altered."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from engine import artifact
from engine.errors import ArtifactBroken, InputError, NotFound


def publish(root: Path, version: str = "v1", **arrays: Any) -> None:
    artifact.write(root, version, arrays or {"a": np.arange(3)}, {"note": "hello"})
    artifact.activate(root, version)


def test_what_was_written_is_mapped_read_only(tmp_path: Path) -> None:
    publish(tmp_path, a=np.arange(4, dtype=np.float32), empty=np.empty(0, np.int32))
    found = artifact.load(tmp_path, "v1")
    assert found.arrays["a"].tolist() == [0, 1, 2, 3]
    assert not found.arrays["a"].flags.writeable
    assert found.arrays["empty"].shape == (0,)
    assert found.manifest["note"] == "hello"


def test_nothing_is_live_before_the_first_publish(tmp_path: Path) -> None:
    assert artifact.live_version(tmp_path) is None
    assert artifact.versions(tmp_path) == []


PAUSES = pytest.mark.parametrize("pause", [None, lambda: None], ids=["at_once", "beside_requests"])


@PAUSES
def test_an_altered_file_is_refused(tmp_path: Path, pause: Callable[..., Any] | None) -> None:
    publish(tmp_path)
    path = tmp_path / "v1" / "a.npy"
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    with pytest.raises(ArtifactBroken, match="altered"):
        artifact.load(tmp_path, "v1", pause=pause)


@PAUSES
def test_a_missing_file_is_named(tmp_path: Path, pause: Callable[..., Any] | None) -> None:
    publish(tmp_path)
    (tmp_path / "v1" / "a.npy").unlink()
    with pytest.raises(ArtifactBroken, match=r"a\.npy"):
        artifact.load(tmp_path, "v1", pause=pause)


def test_beside_requests_the_same_is_mapped_and_others_get_their_turn(tmp_path: Path) -> None:
    many: dict[str, Any] = {f"a{n}": np.arange(n) for n in range(40)}
    publish(tmp_path, "v1", **many)
    paused = []
    found = artifact.load(tmp_path, "v1", pause=lambda: paused.append(1))
    assert {name: array.tolist() for name, array in found.arrays.items()} == {
        f"a{n}": list(range(n)) for n in range(40)
    }
    assert len(paused) == 40 // artifact.PAUSE_EVERY


def test_a_version_is_forgotten_bit_by_bit_and_who_still_reads_it_finds_it_unchanged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(artifact, "PIECE", 4096)
    numbers = np.arange(5_000)
    publish(tmp_path, a=numbers, b=np.arange(3), empty=np.empty(0, np.int32))
    paused, arrays = [], dict(artifact.load(tmp_path, "v1").arrays)
    read, seen = arrays["a"], weakref.ref(arrays["b"])
    pieces = -(-(tmp_path / "v1" / "a.npy").stat().st_size // 4096)
    artifact.unmap(arrays, lambda: paused.append(1))
    assert not arrays
    assert seen() is None
    assert (read == numbers).all()
    assert len(paused) == pieces + 3


def test_where_no_process_may_be_started_hashes_are_compared_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*_args: object) -> None:
        raise OSError

    monkeypatch.setattr(artifact, "hash_aside", refused)
    publish(tmp_path)
    assert artifact.load(tmp_path, "v1", pause=lambda: None).arrays["a"].tolist() == [0, 1, 2]
    (tmp_path / "v1" / "a.npy").write_bytes(b"else")
    with pytest.raises(ArtifactBroken, match="altered"):
        artifact.load(tmp_path, "v1", pause=lambda: None)


def test_pickled_objects_are_never_loaded(tmp_path: Path) -> None:
    publish(tmp_path)
    np.save(tmp_path / "v1" / "a.npy", np.array([{"evil": 1}], dtype=object), allow_pickle=True)
    with pytest.raises(ArtifactBroken):
        artifact.load(tmp_path, "v1", verify=False)


def test_another_format_says_train_again(tmp_path: Path) -> None:
    publish(tmp_path)
    (tmp_path / "v1" / "manifest.json").write_text('{"format": 99}', encoding="utf-8")
    with pytest.raises(ArtifactBroken, match="train again"):
        artifact.load(tmp_path, "v1")


def test_a_publish_killed_midway_leaves_the_old_version_live(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    publish(tmp_path, "v1")

    def killed(*_args: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(artifact, "replace", killed)
    with pytest.raises(KeyboardInterrupt):
        artifact.write(tmp_path, "v2", {"a": np.arange(3)}, {})
    assert artifact.live_version(tmp_path) == "v1"
    assert artifact.versions(tmp_path) == ["v1"]
    monkeypatch.undo()
    publish(tmp_path, "v2")
    assert artifact.live_version(tmp_path) == "v2"


def test_a_version_is_never_overwritten(tmp_path: Path) -> None:
    publish(tmp_path)
    with pytest.raises(InputError, match="exists"):
        publish(tmp_path)


def test_only_published_versions_can_be_activated(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="artifacts list"):
        artifact.activate(tmp_path, "v9")


def test_pruning_keeps_the_newest_and_the_live_one(tmp_path: Path) -> None:
    for number in range(5):
        publish(tmp_path, f"v{number}")
    artifact.activate(tmp_path, "v0")
    assert artifact.prune(tmp_path, keep=2) == ["v1", "v2"]
    assert artifact.versions(tmp_path) == ["v0", "v3", "v4"]
