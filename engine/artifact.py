"""What training publishes and serving reads: a folder of .npy files and a manifest, swapped in whole.

    artifacts/LIVE                       text: the served version
    artifacts/<version>/manifest.json    format, version, data window, metrics, weights, versions, hash of every file
    artifacts/<version>/<name>.npy       one array each, e.g. models.als.item_factors.npy; loaded with pickle off

A version is written under a hidden name, synced and renamed, then LIVE is replaced: a reader sees the old one whole or
the new one whole, and a publish killed at any instant leaves the old one live.
"""

from __future__ import annotations

import mmap
import os
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import orjson

from engine.errors import ArtifactBroken, InputError, NotFound
from engine.files.atomic import replace, sync_folder
from engine.files.hashing import hash_aside, hash_of

FORMAT = 1
LIVE = "LIVE"
MANIFEST = "manifest.json"
# Files mapped between two pauses: about half a millisecond.
PAUSE_EVERY = 4
# Bytes unmapped between two pauses: about half a millisecond.
PIECE = 8 * 1024**2


Pause = Callable[[], None]


def no_pause() -> None:
    """Go straight on."""


@dataclass(frozen=True, slots=True)
class Artifact:
    """One published version: its manifest and its arrays by name, memory-mapped."""

    folder: Path
    manifest: Mapping[str, Any]
    arrays: Mapping[str, npt.NDArray[np.generic]]

    @property
    def version(self) -> str:
        """The version's name, which is also its folder's."""
        return str(self.manifest["version"])

    def group(self, prefix: str) -> dict[str, npt.NDArray[np.generic]]:
        """Return the arrays named `prefix.<name>` by <name>."""
        start = f"{prefix}."
        return {name.removeprefix(start): array for name, array in self.arrays.items() if name.startswith(start)}


def write(root: Path, version: str, arrays: Mapping[str, npt.NDArray[np.generic]], manifest: Mapping[str, Any]) -> Path:
    """Write a version under `root` without making it live; return its folder.

    Raises InputError when the version exists already.
    """
    final = root / version
    if final.exists():
        raise InputError(f"version {version!r} exists already", where=str(root))
    folder = root / f".{version}.writing"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    files: dict[str, str] = {}
    for name, array in arrays.items():
        path = folder / f"{name}.npy"
        with path.open("wb") as file:
            np.save(file, np.ascontiguousarray(array), allow_pickle=False)
            file.flush()
            os.fsync(file.fileno())
        files[path.name] = hash_of(path)
    document = {"format": FORMAT, "version": version, **manifest, "files": files}
    manifest_text = orjson.dumps(document, option=orjson.OPT_INDENT_2 | orjson.OPT_SERIALIZE_NUMPY)
    replace(folder / MANIFEST, lambda path: path.write_bytes(manifest_text))
    folder.rename(final)
    sync_folder(root)
    return final


def activate(root: Path, version: str) -> None:
    """Make `version` the served one, atomically.

    Raises NotFound when there is no such version.
    """
    if not (root / version / MANIFEST).exists():
        raise NotFound(f"no artifact version {version!r}; `regulars artifacts list` shows them", where=str(root))
    replace(root / LIVE, lambda path: path.write_text(version, encoding="utf-8"))


def live_version(root: Path) -> str | None:
    """Return the served version's name, None where nothing was published yet."""
    try:
        return (root / LIVE).read_text(encoding="utf-8").strip() or None
    except FileNotFoundError:
        return None


def versions(root: Path) -> list[str]:
    """Return all published versions, oldest first."""
    return sorted(path.parent.name for path in root.glob(f"[!.]*/{MANIFEST}"))


def manifest_of(root: Path, version: str) -> dict[str, Any]:
    """Return a version's manifest.

    Raises ArtifactBroken when it is missing, unreadable or of another format.
    """
    path = root / version / MANIFEST
    try:
        manifest = orjson.loads(path.read_bytes())
    except (OSError, orjson.JSONDecodeError) as error:
        raise ArtifactBroken(f"cannot read the manifest ({error}); train again", where=str(path)) from error
    if not isinstance(manifest, dict) or manifest.get("format") != FORMAT:
        raise ArtifactBroken(f"is not of format {FORMAT}, which this release reads; train again", where=str(path))
    return manifest


def load(root: Path, version: str, *, verify: bool = True, pause: Pause | None = None) -> Artifact:
    """Map a version's arrays into memory; `verify` compares every file with its hash first.

    `pause`, where given, is called every few milliseconds of work, and files are read by a process of low priority: for
    a service that answers meanwhile. Raises ArtifactBroken when a file is missing, altered, or holds objects.
    """
    manifest = manifest_of(root, version)
    folder, files = root / version, manifest["files"]
    if verify and pause is not None:
        _verify_aside(folder, files)
        verify = False
    arrays: dict[str, npt.NDArray[np.generic]] = {}
    for file, digest in files.items():
        path = folder / file
        try:
            if verify and hash_of(path) != digest:
                raise _altered(path)
            # Empty arrays cannot be mapped; they are read.
            arrays[file.removesuffix(".npy")] = _map(path)
        except (OSError, ValueError) as error:
            raise ArtifactBroken(f"cannot be read ({error}); activate another version", where=str(path)) from error
        if pause is not None and len(arrays) % PAUSE_EVERY == 0:
            pause()
    return Artifact(folder, manifest, arrays)


def unmap(arrays: dict[str, npt.NDArray[np.generic]], pause: Pause) -> None:
    """Forget the mapped `arrays`, a few megabytes between two pauses: 80 at once hold all threads up for 4 ms.

    Whoever still reads one finds everything as it was.
    """
    while arrays:
        _, array = arrays.popitem()
        mapped = getattr(array.base, "_mmap", None)
        if mapped is not None:
            for begin in range(0, len(mapped), PIECE):
                mapped.madvise(mmap.MADV_DONTNEED, begin, min(PIECE, len(mapped) - begin))
                if len(mapped) > PIECE:
                    pause()
        del array, mapped
        pause()


def prune(root: Path, *, keep: int) -> list[str]:
    """Delete all but the newest `keep` versions and the live one; return what went."""
    gone = [version for version in versions(root)[:-keep] if version != live_version(root)]
    for version in gone:
        shutil.rmtree(root / version)
    return gone


def _map(path: Path) -> npt.NDArray[np.generic]:
    try:
        # A plain view of the mapping: slices of the memmap class itself cost a microsecond each.
        return np.asarray(np.load(path, mmap_mode="r", allow_pickle=False))
    except ValueError:  # nothing to map in an empty array
        array: npt.NDArray[np.generic] = np.load(path, allow_pickle=False)
        array.setflags(write=False)
        return array


def _verify_aside(folder: Path, files: Mapping[str, str]) -> None:
    """Compare files with their hashes in another process. Raises ArtifactBroken."""
    try:
        found = hash_aside(folder, list(files))
    except OSError:  # no more processes are allowed here: then by this one
        found = {file: hash_of(folder / file) for file in files if (folder / file).is_file()}
    for file, digest in files.items():
        if file not in found:
            raise ArtifactBroken("cannot be read; activate another version", where=str(folder / file))
        if found[file] != digest:
            raise _altered(folder / file)


def _altered(path: Path) -> ArtifactBroken:
    return ArtifactBroken("was altered after it was published; activate another version", where=str(path))
