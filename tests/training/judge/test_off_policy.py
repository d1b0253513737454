"""Off-policy estimates against a world whose truth is known."""

from __future__ import annotations

import random

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.present import there
from training.judge.off_policy import Estimate, OffPolicy, Slots, estimate

DISHES, KINDS, LISTS, CUSTOMERS = 5, 3, 4, 250


class World:
    """Customers of three kinds see two slots; what they take depends on kind, dish and slot."""

    def __init__(self) -> None:
        rng = np.random.default_rng(11)
        self.takes = rng.uniform(0.02, 0.5, (KINDS, 2, DISHES))
        # The logged policy likes what is seldom taken, the judged one what is often taken.
        self.logged = self.softmax(-4 * self.takes)
        self.judged = self.softmax(6 * self.takes)
        self.truth = float((self.judged * self.takes).sum(axis=2).mean())
        self.earned = float((self.logged * self.takes).sum(axis=2).mean())

    @staticmethod
    def softmax(scores: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        raised = np.exp(scores)
        return raised / raised.sum(axis=2, keepdims=True)

    def log(self, seed: int, *, model: npt.NDArray[np.float64] | None = None) -> Slots:
        rng = np.random.default_rng(seed)
        customer = np.repeat(np.arange(CUSTOMERS), LISTS * 2)
        kind = rng.integers(KINDS, size=CUSTOMERS)[customer]
        slot = np.tile([0, 1], CUSTOMERS * LISTS)
        chances = self.logged[kind, slot]
        dish = (chances.cumsum(axis=1) < rng.random(len(customer))[:, None]).sum(axis=1)
        # Customers differ in how hungry they are, so that their slots are not independent.
        hungry = rng.uniform(0.5, 1.5, CUSTOMERS)[customer]
        taken = (rng.random(len(customer)) < self.takes[kind, slot, dish] * hungry).astype(float)
        return Slots(
            customer,
            chances[np.arange(len(dish)), dish],
            self.judged[kind, slot, dish],
            taken,
            None if model is None else model[kind, slot, dish],
            None if model is None else (self.judged[kind, slot] * model[kind, slot]).sum(axis=1),
        )


@pytest.fixture(scope="module")
def world() -> World:
    return World()


@pytest.fixture(scope="module")
def found(world: World) -> list[OffPolicy]:
    """Estimates of 300 logs, with a reward model that is right but for a factor."""
    return [estimate(world.log(seed, model=world.takes * 0.8), clip=1e9) for seed in range(300)]


@pytest.mark.parametrize("name", ["ips", "self_normalised", "doubly_robust"])
def test_the_truth_lies_inside_the_interval_nineteen_times_in_twenty(
    world: World, found: list[OffPolicy], name: str
) -> None:
    inside = [getattr(each, name).low <= world.truth <= getattr(each, name).high for each in found]
    assert 0.91 <= np.mean(inside) <= 0.99


@pytest.mark.parametrize("name", ["ips", "doubly_robust"])
def test_weighting_has_no_bias_where_counting_what_was_shown_has(
    world: World, found: list[OffPolicy], name: str
) -> None:
    values = np.array([getattr(each, name).value for each in found])
    assert abs(values.mean() - world.truth) < 4 * values.std() / np.sqrt(len(values))
    shown = np.array([each.logged.value for each in found])
    assert abs(shown.mean() - world.earned) < 4 * shown.std() / np.sqrt(len(shown))
    assert world.truth > 1.3 * world.earned
    assert not any(there(each.logged.low) <= world.truth <= there(each.logged.high) for each in found)


def test_a_good_reward_model_narrows_the_interval_and_a_wrong_one_does_not_bias(
    world: World, found: list[OffPolicy]
) -> None:
    def width(each: Estimate) -> float:
        return there(each.high) - there(each.low)

    assert np.mean([width(there(each.doubly_robust)) for each in found]) < np.mean([width(each.ips) for each in found])
    nonsense = np.full((KINDS, 2, DISHES), 0.3)
    values = np.array([there(estimate(world.log(s, model=nonsense), clip=1e9).doubly_robust).value for s in range(200)])
    assert abs(values.mean() - world.truth) < 4 * values.std() / np.sqrt(len(values))


def test_slots_of_one_customer_are_not_taken_for_independent(world: World) -> None:
    log = world.log(1)
    again = [np.concatenate([part, part]) for part in (log.customer, log.propensity, log.probability, log.taken)]
    once, twice = estimate(log, clip=50), estimate(Slots(*again), clip=50)
    assert twice.ips.low == pytest.approx(once.ips.low)
    assert twice.effective_slots == pytest.approx(2 * once.effective_slots)


def test_clipping_is_said_and_only_lowers_the_weights() -> None:
    log = Slots(np.arange(4), np.array([0.01, 0.5, 0.5, 1]), np.array([1.0, 1, 0, 1]), np.array([1.0, 0, 1, 1]))
    found = estimate(log)
    assert found.clip == 2.0
    assert found.clipped == 0.25
    assert found.ips.value == pytest.approx((2 + 1) / 4)
    assert found.support == pytest.approx((100 + 2 + 1) / 4)
    assert estimate(log, clip=200).ips.value == pytest.approx((100 + 1) / 4)


chances = st.floats(0.05, 1)
rows = st.lists(st.tuples(st.integers(0, 5), chances, chances, st.booleans()), min_size=1, max_size=40)


def slots_of(told: list[tuple[int, float, float, bool]]) -> Slots:
    customer, propensity, probability, taken = (np.array(column) for column in zip(*told, strict=True))
    return Slots(customer, propensity, probability, taken.astype(float))


@given(rows)
def test_judging_the_policy_that_was_shown_gives_what_it_earned(told: list[tuple[int, float, float, bool]]) -> None:
    log = slots_of(told)
    same = estimate(Slots(log.customer, log.propensity, log.propensity, log.taken))
    assert same.ips.value == pytest.approx(same.logged.value)
    assert same.self_normalised.value == pytest.approx(same.logged.value)
    assert same.effective_slots == pytest.approx(len(told))
    assert same.support == pytest.approx(1)


@given(rows)
def test_self_normalised_stays_a_share_whatever_the_weights(told: list[tuple[int, float, float, bool]]) -> None:
    found = estimate(slots_of(told))
    assert -1e-9 <= found.self_normalised.value <= 1 + 1e-9
    assert found.effective_slots <= len(told) + 1e-6


@given(rows, st.randoms())
def test_the_order_of_the_log_changes_nothing(
    told: list[tuple[int, float, float, bool]], random: random.Random
) -> None:
    mixed = list(told)
    random.shuffle(mixed)
    a, b = estimate(slots_of(told)), estimate(slots_of(mixed))
    assert (a.ips.value, a.self_normalised.value) == pytest.approx((b.ips.value, b.self_normalised.value))


def test_a_policy_the_log_never_shows_is_worth_nothing_known() -> None:
    found = estimate(Slots(np.arange(3), np.full(3, 0.5), np.zeros(3), np.ones(3)))
    assert found.support == 0
    assert found.effective_slots == 0
    assert (found.self_normalised.value, found.self_normalised.low) == (0.0, None)


@pytest.mark.parametrize(
    ("propensity", "probability", "says"),
    [([0.0], [0.5], "propensity"), ([1.2], [0.5], "propensity"), ([0.5], [-0.1], "probability"), ([], [], "empty")],
)
def test_impossible_chances_are_refused(propensity: list[float], probability: list[float], says: str) -> None:
    some = np.array(propensity)
    with pytest.raises(ValueError, match=says):
        estimate(Slots(np.arange(len(some)), some, np.array(probability), np.zeros(len(some))))
