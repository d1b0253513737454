"""The loops behind the facts of items, against the plain form of the same."""

from __future__ import annotations

import numpy as np
import pytest

from engine.recommend.kernels.features import MOST_PLACED, item_places, median_in_place


@pytest.mark.parametrize("seed", range(5))
def test_the_middle_of_any_numbers_is_theirmedian_in_place(seed: int) -> None:
    rng = np.random.default_rng(seed)
    for n in (1, 2, 3, 10, 101):
        values = rng.choice(rng.normal(0, 100, 1 + seed * n).astype(np.float32), n)
        assert median_in_place(values.copy()) == np.float32(
            (np.sort(values)[[(n - 1) // 2, n // 2]].sum(dtype=np.float32)) / 2
        )


def test_where_a_dish_is_ordered_to_is_told_by_some_of_its_orders_where_they_are_many() -> None:
    rng = np.random.default_rng(0)
    many, few = 50 * MOST_PLACED, 40
    items = np.repeat(np.array([0, 1], np.int32), [many, few])
    latitude = rng.normal(31, 0.05, len(items)).astype(np.float32)
    latitude[::7] = np.nan
    longitude = np.full(len(items), 121, np.float32)
    found = item_places(np.arange(len(items) + 1), items, latitude, longitude, 3)
    # A thousand of a normal spread tell its middle to a twenty-fifth of it, rarely worse than a tenth.
    assert found[0][0] == pytest.approx(np.nanmedian(latitude[:many]), abs=0.1 * 0.05)
    assert found[0][1] == pytest.approx(np.nanmedian(latitude[many:]), abs=1e-5)
    assert found[2][1] == pytest.approx(111.2 * np.nanmedian(np.abs(latitude[many:] - found[0][1])), rel=1e-3)
    assert np.isnan([column[2] for column in found]).all()
