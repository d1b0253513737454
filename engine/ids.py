"""Outside ids to row and column numbers and back, from arrays that can be memory-mapped."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import Self

import numpy as np
import numpy.typing as npt

from engine.runtime.compiled import compiled


def _digest(name: bytes) -> int:
    return int.from_bytes(blake2b(name, digest_size=8).digest(), "little")


LITTLE = np.dtype("<u8")


def _cut(text: bytes, begin: npt.NDArray[np.int64], end: npt.NDArray[np.int64]) -> list[str]:
    """Return many parts of a text that was taken out of its array once and not for each of them."""
    bounds = zip(begin.tolist(), end.tolist(), strict=True)
    if text.isascii():  # one character a byte
        plain = text.decode()
        return [plain[first:last] for first, last in bounds]
    return [text[first:last].decode() for first, last in bounds]


@dataclass(frozen=True, slots=True)
class IdMap:
    """Numbers 0..n-1 for distinct text ids.

    `text` holds all ids as UTF-8 end to end, `start` (n + 1) where each begins; `digests` is sorted and `rows` tells
    which id each digest belongs to. A look-up is a binary search and one comparison: no dictionary is built, so a
    process that maps the arrays shares them with its siblings.
    """

    text: npt.NDArray[np.uint8]
    start: npt.NDArray[np.int64]
    digests: npt.NDArray[np.uint64]
    rows: npt.NDArray[np.int32]

    @classmethod
    def of(cls, names: Iterable[str]) -> Self:
        """Number `names` (distinct) in the given order."""
        encoded = [name.encode() for name in names]
        start = np.zeros(len(encoded) + 1, dtype=np.int64)
        np.cumsum([len(name) for name in encoded], out=start[1:])
        digests = np.fromiter((_digest(name) for name in encoded), dtype=np.uint64, count=len(encoded))
        order = np.argsort(digests, kind="stable")
        text = np.frombuffer(b"".join(encoded), dtype=np.uint8)
        return cls(text, start, digests[order], order.astype(np.int32))

    def __len__(self) -> int:
        return len(self.rows)

    def name(self, row: int) -> str:
        """Return the id numbered `row`."""
        return self._bytes(row).decode()

    def names(self, rows: Sequence[int] | npt.NDArray[np.integer]) -> list[str]:
        """Return the ids numbered `rows`."""
        if 2 * len(rows) < len(self):
            return [self.name(int(row)) for row in rows]
        wanted = np.asarray(rows, dtype=np.int64)
        return _cut(self.text.tobytes(), self.start[wanted], self.start[wanted + 1])

    def names_between(self, first: int, end: int) -> list[str]:
        """Return the ids numbered from `first` up to, without, `end` (at most how many there are)."""
        start = self.start[first : end + 1] - self.start[first]
        return _cut(self.text[self.start[first] : self.start[end]].tobytes(), start[:-1], start[1:])

    def row(self, name: str) -> int:
        """Return the number of `name`, -1 where it is unknown."""
        encoded = name.encode(errors="replace")
        digest = np.frombuffer(blake2b(encoded, digest_size=8).digest(), LITTLE)
        return _row(self.digests, self.rows, self.start, self.text, digest, np.frombuffer(encoded, np.uint8))

    def rows_of(self, names: Sequence[str]) -> npt.NDArray[np.int32]:
        """Return the numbers of `names` in their order, -1 where one is unknown: `row` for many at once."""
        encoded = [name.encode(errors="replace") for name in names]
        wanted = np.fromiter((_digest(name) for name in encoded), dtype=np.uint64, count=len(encoded))
        found = np.full(len(encoded), -1, dtype=np.int32)
        if not len(self.digests):
            return found
        at = np.minimum(np.searchsorted(self.digests, wanted), len(self.digests) - 1)
        for i in np.flatnonzero(self.digests[at] == wanted).tolist():
            row = int(self.rows[at[i]])
            # Two ids with one digest are next to each other: the single look-up walks over them.
            found[i] = row if self._bytes(row) == encoded[i] else self.row(names[i])
        return found

    def arrays(self) -> dict[str, npt.NDArray[np.generic]]:
        """Return the four arrays by name, for the artifact."""
        return {"text": self.text, "start": self.start, "digests": self.digests, "rows": self.rows}

    @classmethod
    def from_arrays(cls, arrays: dict[str, npt.NDArray[np.generic]]) -> Self:
        """Rebuild from `arrays()` without copying."""
        return cls(arrays["text"], arrays["start"], arrays["digests"], arrays["rows"])  # type: ignore[arg-type]

    def _bytes(self, row: int) -> bytes:
        return self.text[self.start[row] : self.start[row + 1]].tobytes()


@compiled
def _row(
    digests: npt.NDArray[np.uint64],
    rows: npt.NDArray[np.int32],
    start: npt.NDArray[np.int64],
    text: npt.NDArray[np.uint8],
    digest: npt.NDArray[np.uint64],
    name: npt.NDArray[np.uint8],
) -> int:
    """Return the row of the id that is `name` and has `digest` (1), -1 where there is none."""
    wanted, low, high = digest[0], 0, len(digests)
    while low < high:
        middle = (low + high) // 2
        if digests[middle] < wanted:
            low = middle + 1
        else:
            high = middle
    # Two ids may share a digest.
    while low < len(digests) and digests[low] == wanted:
        row = rows[low]
        first, same = start[row], start[row + 1] - start[row] == len(name)
        for i in range(len(name) if same else 0):
            same = same and text[first + i] == name[i]
        if same:
            return int(row)
        low += 1
    return -1
