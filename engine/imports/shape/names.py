"""What the columns of a header are called: padding taken off, unnamed ones numbered, doubled ones told apart."""

from __future__ import annotations

from collections.abc import Sequence

from engine.imports.shape.source import LINE

INVISIBLE = dict.fromkeys(map(ord, "\u200b\u200c\u200d\u2060\ufeff"))


def plain_header(name: str) -> str:
    """Return a column's name as it is compared: no invisible signs, line ends and runs of spaces are one space."""
    return " ".join(name.translate(INVISIBLE).split())


def header_names(cells: Sequence[str]) -> tuple[list[str], dict[str, tuple[str, ...]], tuple[str, ...]]:
    """Return a name for each column, those of doubled names by the name, and a sentence for each doubled one.

    The second `Amount` is `Amount (2)`; a column without a name is `column_3` after its position.
    """
    given = [plain_header(cell) or f"column_{at}" for at, cell in enumerate(cells, 1)]
    given = [f"{name} (file)" if name == LINE else name for name in given]
    names: list[str] = []
    for name in given:
        unique, nth = name, 1
        while unique in names or (nth > 1 and unique in given):
            nth += 1
            unique = f"{name} ({nth})"
        names.append(unique)
    doubled = {
        name: tuple(names[at] for at, each in enumerate(given) if each == name)
        for name in dict.fromkeys(given)
        if given.count(name) > 1
    }
    notes = tuple(
        f"the header names {name!r} {len(every)} times; they are {', '.join(map(repr, every))}"
        for name, every in doubled.items()
    )
    return names, doubled, notes
