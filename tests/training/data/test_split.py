"""What is held out: nothing later is seen, and one basket a customer is asked for."""

from __future__ import annotations

from datetime import timedelta

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.baskets import START, dishes_by_customer, learned_from, random_town
from training.data.split import sample, split_by_time, split_last_basket


@given(st.integers(0, 10_000), st.floats(1, 89))
@settings(max_examples=25, deadline=None)
def test_a_time_split_shows_the_past_nothing_later_and_asks_for_the_next_basket(seed: int, day: float) -> None:
    data = learned_from(random_town(12, 6, seed=seed))
    at = int((START + timedelta(days=day)).timestamp())
    split = split_by_time(data, at)
    assert (split.past.at < at).all()
    whole, past = dishes_by_customer(data), dishes_by_customer(data, split.past)
    for target in split.targets:
        name = data.customers[target.query.row]
        assert len(target.query.baskets) == len(past[name])
        assert whole[name][: len(past[name])] == past[name]
        assert sorted(data.items[int(i)] for i in target.truth) == whole[name][len(past[name])]
        assert target.query.now >= at
        assert target.query.place.vendor == -1


def test_the_last_basket_split_takes_one_basket_of_everyone_with_two() -> None:
    data = learned_from({"ann": [(0, ["a"]), (1, ["b"])], "bob": [(0, ["c"])]})
    split = split_last_basket(data)
    assert dishes_by_customer(data, split.past) == {"ann": [["a"]], "bob": [["c"]]}
    assert [data.items[int(i)] for i in split.targets[0].truth] == ["b"]
    assert len(split.targets) == 1


def test_a_sample_is_fixed_by_its_seed_and_never_repeats() -> None:
    targets = split_last_basket(learned_from(random_town(40, 8, seed=1))).targets
    first, again = ([target.query.row for target in sample(targets, 10, np.random.default_rng(4))] for _ in range(2))
    assert first == again
    assert len(set(first)) == 10


def test_targets_made_when_asked_for_are_those_made_all_at_once() -> None:
    targets = split_last_basket(learned_from(random_town(40, 8, seed=1))).targets
    whole = list(targets)
    assert [target.query.row for target in whole] == [targets[place].query.row for place in range(len(targets))]
    assert [target.query.row for target in sample(whole, 10, np.random.default_rng(4))] == [
        target.query.row for target in sample(targets, 10, np.random.default_rng(4))
    ]
    assert all(target.truth.tolist() == targets[place].truth.tolist() for place, target in enumerate(whole))
