"""Outside ids and their numbers."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from engine.ids import IdMap


@given(st.lists(st.text(alphabet=st.characters(exclude_categories=["Cs"]), max_size=20), unique=True, max_size=50))
def test_every_id_finds_its_number_and_back(names: list[str]) -> None:
    ids = IdMap.of(names)
    assert len(ids) == len(names)
    assert [ids.row(name) for name in names] == list(range(len(names)))
    assert ids.names(range(len(names))) == names
    middle = len(names) // 2
    assert [*ids.names_between(0, middle), *ids.names_between(middle, len(names))] == names


@given(st.lists(st.text(max_size=8), unique=True, max_size=20), st.text(max_size=8))
def test_an_unknown_id_is_minus_one(names: list[str], stranger: str) -> None:
    names = [name for name in names if name.isascii()]
    assert (IdMap.of(names).row(stranger) >= 0) == (stranger in names)


def test_ids_whose_digests_collide_are_told_apart() -> None:
    ids = IdMap.of(["ann", "bob"])
    same = IdMap(ids.text, ids.start, np.full(2, ids.digests[0]), ids.rows)
    first = "ann" if ids.rows[0] == 0 else "bob"
    assert same.row(first) == ids.row(first)


def test_nothing_is_a_map_too() -> None:
    assert IdMap.of([]).row("anyone") == -1


@given(st.lists(st.text(max_size=8), unique=True, max_size=20), st.lists(st.text(max_size=8), max_size=20))
def test_many_ids_are_found_like_each_alone(names: list[str], asked: list[str]) -> None:
    ids = IdMap.of([name for name in names if name.isascii()])
    asked = [*asked, *names]
    assert ids.rows_of(asked).tolist() == [ids.row(name) for name in asked]
