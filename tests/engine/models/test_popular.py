"""What is liked everywhere, where little of it may be shown."""

from __future__ import annotations

import numpy as np

from engine.models.popular import Popular


def test_everything_is_sorted_once_for_all_requests_that_few_of_the_best_are_open_to() -> None:
    shares = np.random.default_rng(4).integers(0, 40, 3_000).astype(np.float32)
    model = Popular(overall=shares)
    order = model._whole_order()
    assert order.tolist() == sorted(range(3_000), key=lambda column: (-shares[column], column))
    assert not order.flags.writeable
    assert model._whole_order() is order
