"""Who is unhappy is known the day it happens, and a better order mends it."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import polars as pl
import pytest
from hypothesis import given as drawn
from hypothesis import settings
from hypothesis import strategies as st

from engine.customers.behaviour.purchases import read_purchases
from engine.customers.behaviour.satisfaction import satisfaction_figures
from engine.customers.config import CustomerConfig, Satisfaction
from engine.customers.moment import Moment
from engine.customers.table import customer_table
from tests.engine.customers.histories import NOW, customers, feedback, moment, opinion, order, orders, sources


def found_of(
    *rows: dict[str, object], given: pl.DataFrame | None = None, at: Moment = NOW
) -> dict[str, dict[str, Any]]:
    purchases = read_purchases(orders(*rows).lazy(), customers(), at)
    frame = satisfaction_figures(purchases, feedback() if given is None else given, Satisfaction())
    return {purchases.ids[row["customer"]]: row for row in frame.iter_rows(named=True)}


def test_ratings_are_counted_and_their_trend_is_newer_less_older_half() -> None:
    row = found_of(*(order("a", 10 - i, rating=r) for i, r in enumerate([2.0, 3.0, 5.0, 4.0, 4.0])))["a"]
    assert (row["ratings"], row["average_rating"], row["last_rating"]) == (5, pytest.approx(3.6), 4.0)
    assert row["rating_trend"] == pytest.approx(4.0 - 2.5)


def test_a_low_rating_or_a_refund_makes_a_customer_unhappy_until_a_better_one() -> None:
    found = found_of(
        order("low", 9, rating=5.0), order("low", 2, rating=2.0),
        order("refund", 9, rating=4.0), order("refund", 3, status="refunded"),
        order("mended", 9, rating=1.0), order("mended", 1, rating=4.0),
        order("worse", 9, rating=5.0), order("worse", 5, status="rejected"), order("worse", 4, rating=1.0),
        order("unrated", 1),
    )  # fmt: skip
    days = {who: None if row["unhappy_at"] is None else row["unhappy_at"].day for who, row in found.items()}
    assert days == {"low": 27, "refund": 26, "mended": None, "worse": 25}


def test_an_unhappy_valuable_customer_is_found_that_very_day_and_not_before() -> None:
    rows = [order(f"c{i}", 5 + i, order_cents=1000 + i) for i in range(40)]
    rows += [order("best", d, order_cents=50_000) for d in (20, 10)] + [order("best", 0, rating=1.0)]
    data = sources(orders(*rows))
    built = {
        day: customer_table(data, moment(day), horizon_days=30, config=CustomerConfig()).table
        for day in ("2026-02-28", "2026-03-01")
    }
    unhappy = {day: frame.filter("unhappy_valuable")["customer_id"].to_list() for day, frame in built.items()}
    assert unhappy == {"2026-02-28": [], "2026-03-01": ["best"]}


def test_answers_and_complaints_are_counted_and_the_latest_answer_is_hers() -> None:
    given = feedback(
        opinion("a", 1, "nps", 3), opinion("a", 9, "nps", 9), opinion("a", 5, "nps", 6),
        opinion("a", 8, "csat", 2), opinion("a", 2, "csat", 5),
        opinion("a", 7, "complaint"), opinion("a", 6, "complaint"),
        opinion("a", -2, "complaint"), opinion("a", -2, "nps", 10),
        opinion("nobody", 3, "complaint"),
    )  # fmt: skip
    found = found_of(order("a", 10), order("b", 10, rating=4.0), order("c", 10), given=given)
    assert set(found) == {"a", "b"}
    row = found["a"]
    assert (row["nps"], row["nps_trend"], row["csat"], row["csat_trend"]) == (3, -6.0, 3.5, 3.0)
    assert (row["complaints"], row["last_complaint_at"].day, row["ratings"]) == (2, 23, None)
    assert (found["b"]["nps"], found["b"]["complaints"], found["b"]["ratings"]) == (None, None, 1)


def test_a_complaint_or_a_low_answer_makes_a_customer_unhappy_until_a_better_word() -> None:
    people = ("detractor", "passive", "discontent", "complains", "answered", "rated", "again", "same_instant")
    rows = [order(who, 20) for who in people] + [order("rated", 1, rating=4.0)]
    given = feedback(
        opinion("detractor", 3, "nps", 6),
        opinion("passive", 3, "nps", 7),
        opinion("discontent", 4, "csat", 2),
        opinion("complains", 5, "complaint"),
        opinion("answered", 5, "complaint"), opinion("answered", 4, "csat", 3),
        opinion("rated", 5, "complaint"),
        opinion("again", 5, "nps", 9), opinion("again", 2, "complaint"),
        opinion("same_instant", 2, "complaint"), opinion("same_instant", 2, "nps", 9),
    )  # fmt: skip
    found = found_of(*rows, given=given)
    days = {who: None if row["unhappy_at"] is None else row["unhappy_at"].day for who, row in found.items()}
    assert days == {
        "detractor": 26, "passive": None, "discontent": 25, "complains": 24,
        "answered": None, "rated": None, "again": 27, "same_instant": 27,
    }  # fmt: skip


WORDS = st.one_of(
    st.tuples(st.just("rating"), st.integers(1, 5)),
    st.tuples(st.just("nps"), st.integers(0, 10)),
    st.tuples(st.just("csat"), st.integers(1, 5)),
    st.tuples(st.just("complaint"), st.none()),
)


@settings(max_examples=50, deadline=None)
@drawn(st.lists(st.tuples(st.sampled_from("ab"), st.integers(-2, 9), WORDS), max_size=12))
def test_a_customer_is_unhappy_since_their_latest_bad_opinion_unless_a_good_one_is_later(
    words: list[tuple[str, int, tuple[str, int | None]]],
) -> None:
    rows = [order(who, days, rating=float(score or 0)) for who, days, (kind, score) in words if kind == "rating"]
    given = [opinion(who, days, kind, score) for who, days, (kind, score) in words if kind != "rating"]
    found = found_of(order("a", 30), order("b", 30), *rows, given=feedback(*given))
    low = {"rating": 2, "nps": 6, "csat": 2}
    for who in "ab":
        opinions = [(-days, score is None or score <= low[kind]) for name, days, (kind, score) in words if name == who]
        opinions = [(day, bad) for day, bad in opinions if day <= 0]
        bad_day = max((day for day, bad in opinions if bad), default=None)
        good_day = max((day for day, bad in opinions if not bad), default=None)
        unhappy = bad_day is not None and (good_day is None or good_day <= bad_day)
        expected = datetime(2026, 3, 1, 12, tzinfo=UTC) + timedelta(days=bad_day or 0) if unhappy else None
        assert found.get(who, {}).get("unhappy_at") == expected


@pytest.mark.parametrize(
    "given", [opinion("best", 0, "complaint"), opinion("best", 0, "nps", 2), opinion("best", 0, "csat", 1)]
)
def test_a_valuable_customer_who_complains_or_answers_low_is_found_that_very_day(given: dict[str, object]) -> None:
    rows = [order(f"c{i}", 5 + i, order_cents=1000 + i) for i in range(40)]
    rows += [order("best", d, order_cents=50_000) for d in (20, 10)]
    data = replace(sources(orders(*rows)), feedback=feedback(given, given | {"customer_id": "c3"}))
    built = {
        day: customer_table(data, moment(day), horizon_days=30, config=CustomerConfig())
        for day in ("2026-02-28", "2026-03-01")
    }
    unhappy = {day: found.table.filter("unhappy_valuable")["customer_id"].to_list() for day, found in built.items()}
    assert unhappy == {"2026-02-28": [], "2026-03-01": ["best"]}
    assert {day: found.facts["feedback"] for day, found in built.items()} == {"2026-02-28": 0, "2026-03-01": 2}
    last = built["2026-03-01"].table
    assert last["complaints"].null_count() == 0
    assert last["complaints"].sum() == (2 if given["kind"] == "complaint" else 0)
