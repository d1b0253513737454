"""A request as models see it."""

from __future__ import annotations

import numpy as np
import pytest

from engine.models.query import Place, Query


def columns(*numbers: int) -> np.ndarray[tuple[int], np.dtype[np.int32]]:
    return np.array(numbers, dtype=np.int32)


def test_baskets_are_read_back_oldest_first() -> None:
    query = Query.of([columns(3, 1), columns(2)], np.array([10, 20]), 30)
    assert [basket.tolist() for basket in query.baskets] == [[3, 1], [2]]
    assert query.known


def test_a_query_without_baskets_is_of_somebody_unknown() -> None:
    query = Query.of([], np.empty(0, np.int64), 30)
    assert not query.known
    assert query.baskets == ()


def test_its_arrays_cannot_be_changed() -> None:
    query = Query.of([columns(3)], np.array([10]), 30)
    with pytest.raises(ValueError, match="read-only"):
        query.items[0] = 1


def test_a_place_is_on_the_map_only_with_both_coordinates() -> None:
    assert Place(latitude=1.0, longitude=2.0).located
    assert not Place(zone=1, latitude=1.0).located
