"""Known effects: what `respond` draws is what the truth states."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from demo.city import City, respond, simulate
from demo.coupons import EFFECT_DAYS, Received, first_order_day
from demo.orders import COUPON_KINDS
from demo.world import CityScale
from engine.errors import BadColumns, InputError
from tests.demo.hours import described

UNTIL = datetime(2026, 3, 1, 5, tzinfo=UTC)
NOBODY = pl.DataFrame(schema={"customer_id": pl.String, "kind": pl.String})
DRAWS = 40


@pytest.fixture(scope="module")
def city() -> City:
    return simulate(CityScale(customers=1_500, vendors=40, zones=6), seed=4, until=UNTIL, days=200)


def everybody(city: City, kind: str) -> pl.DataFrame:
    return city.truth.select("customer_id", kind=pl.lit(kind))


def ordered_share(city: City, treated: pl.DataFrame, *, days: int) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """Return, per customer, in what share of many futures they have a delivered order."""
    counts = np.zeros(city.truth.height)
    for draw in range(DRAWS):
        orders, _ = respond(city, treated, at=UNTIL, days=days, draw=draw)
        buyers = orders.filter(pl.col("status") == "delivered")["customer_id"].unique()
        counts += city.truth["customer_id"].is_in(buyers.implode()).to_numpy()
    return counts / DRAWS


@pytest.mark.parametrize("kind", [None, *COUPON_KINDS])
def test_the_drawn_shares_are_the_stated_chances(city: City, kind: str | None) -> None:
    treated = NOBODY if kind is None else everybody(city, kind)
    stated = city.truth["p_order_14d" + ("" if kind is None else f"_{kind}")].to_numpy()
    drawn = ordered_share(city, treated, days=14)
    error = np.sqrt(np.sum(stated * (1 - stated)) / DRAWS) / len(stated)
    assert abs(drawn.mean() - stated.mean()) < 4 * error
    # Per person too: the standardised errors of those whose chance is not settled have mean square one.
    open_ = (stated > 0.05) & (stated < 0.95)
    z = (drawn - stated)[open_] / np.sqrt(stated * (1 - stated) / DRAWS)[open_]
    assert 0.85 < np.mean(z**2) < 1.15
    assert (drawn[stated == 0] == 0).all()


def test_the_uplift_of_a_trial_is_the_stated_one(city: City) -> None:
    half = everybody(city, "amount").gather_every(2)
    drawn = ordered_share(city, half, days=14)
    truth = city.truth.with_columns(treated=pl.col("customer_id").is_in(half["customer_id"].implode()), drawn=drawn)
    treated = truth.filter("treated")
    lift = (treated["p_order_14d_amount"] - treated["p_order_14d"]).mean()
    assert isinstance(lift, float)
    assert lift > 0.03
    assert abs((treated["drawn"] - treated["p_order_14d"]).mean() - lift) < 0.01  # type: ignore[operator]


def test_who_is_treated_changes_nobody_elses_orders(city: City) -> None:
    some = everybody(city, "percent").head(300)
    with_some, _ = respond(city, some, at=UNTIL, days=30)
    with_none, _ = respond(city, NOBODY, at=UNTIL, days=30)
    others = ~pl.col("customer_id").is_in(some["customer_id"].implode())
    columns = ["customer_id", "ordered_at"]
    assert_frame_equal(with_some.filter(others).select(columns), with_none.filter(others).select(columns))


def test_the_same_draw_is_the_same_future_and_another_is_another(city: City) -> None:
    one, two, other = (respond(city, NOBODY, at=UNTIL, days=14, draw=draw) for draw in (0, 0, 1))
    assert_frame_equal(one[0], two[0])
    assert_frame_equal(one[1], two[1])
    assert not one[0].equals(other[0])


def test_a_coupon_is_used_once_on_the_first_order_in_its_time(city: City) -> None:
    late = UNTIL + timedelta(days=5)
    treated = everybody(city, "amount").with_columns(received_at=pl.lit(late))
    orders, lines = respond(city, treated, at=UNTIL, days=60, offer_ids={"amount": "winback-10"})
    used = orders.filter(pl.col("offer_id") == "winback-10")
    assert used.height > 100
    assert not used["customer_id"].is_duplicated().any()
    assert (used["ordered_at"] >= UNTIL + timedelta(days=5)).all()
    assert (used["ordered_at"] < late + timedelta(days=EFFECT_DAYS)).all()
    assert (used["status"] == "delivered").all()
    sums = lines.group_by("order_id").agg(pl.col("line_cents").sum())
    paid = used.join(sums, on="order_id")
    assert (paid["discount_cents"] == paid["line_cents"].clip(upper_bound=1000)).all()


def test_responses_keep_to_hours_zones_and_span(city: City) -> None:
    orders, lines = respond(city, everybody(city, "percent"), at=UNTIL, days=21)
    vendors = described(city)
    places = orders.select("vendor_id", "zone", "ordered_at").iter_rows()
    assert [place for place in places if not vendors[place[0]].serves(place[1], place[2])] == []
    assert orders["ordered_at"].is_between(UNTIL, UNTIL + timedelta(days=21), closed="left").all()
    assert set(lines["order_id"]) == set(orders["order_id"])
    assert not set(orders["order_id"]) & set(city.orders["order_id"])


@pytest.mark.parametrize(
    ("treated", "complaint"),
    [
        (pl.DataFrame({"customer_id": ["nobody"], "kind": ["amount"]}), "does not live here"),
        (pl.DataFrame({"customer_id": ["c-0000001"], "kind": ["cash"]}), "unknown kind 'cash'"),
        (pl.DataFrame({"customer_id": ["c-0000001"] * 2, "kind": ["amount"] * 2}), "twice"),
    ],
)
def test_a_treatment_that_cannot_be_is_refused(city: City, treated: pl.DataFrame, complaint: str) -> None:
    with pytest.raises(InputError, match=complaint):
        respond(city, treated, at=UNTIL, days=14)


def test_the_past_cannot_be_treated(city: City) -> None:
    with pytest.raises(InputError, match="end of history"):
        respond(city, NOBODY, at=UNTIL - timedelta(seconds=1), days=14)
    early = everybody(city, "amount").with_columns(received_at=pl.lit(UNTIL - timedelta(days=1)))
    with pytest.raises(InputError, match="before"):
        respond(city, early, at=UNTIL, days=14)
    with pytest.raises(BadColumns, match="kind"):
        respond(city, NOBODY.drop("kind"), at=UNTIL, days=14)


chances = st.floats(0.0, 0.98)


@given(chances, chances, st.floats(0, 30), st.floats(0.001, 20))
def test_the_first_order_is_where_the_cumulative_hazard_reaches_the_draw(
    without: float, with_coupon: float, start: float, risk: float
) -> None:
    day = first_order_day(
        np.array([without]), np.array([with_coupon]), Received(np.array([0]), np.array([start])), np.array([risk])
    )[0]
    base, raised = -np.log1p(-without) / EFFECT_DAYS, -np.log1p(-with_coupon) / EFFECT_DAYS

    def cumulative(t: float) -> float:
        inside = min(max(t - start, 0.0), EFFECT_DAYS)
        return float(base * (t - inside) + raised * inside)

    if np.isinf(day):
        # Without a coupon's help a chance of nothing stays nothing, for ever.
        assert base * 14 < 1e-9 or cumulative(1e9) <= risk * (1 + 1e-9)
    elif base > 1e-12 and raised > 1e-12:
        assert cumulative(day) == pytest.approx(risk, rel=1e-6)
