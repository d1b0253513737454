"""Who is unhappy is known the day it happens, and a better order mends it."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.customers.behaviour.purchases import read_purchases
from engine.customers.behaviour.satisfaction import FEEDBACK, satisfaction_figures
from engine.customers.config import CustomerConfig, Satisfaction
from engine.customers.table import customer_table
from engine.market.low_rated import by_complaints, vendor_and_dish_ratings
from tests.engine.customers.histories import NOW, customers, items, lines_of, moment, order, orders, sources


def told(customer: str, days_ago: float, kind: str, score: float | None = None, **about: str) -> dict[str, object]:
    """Return one survey answer or complaint, told `days_ago` before the last noon."""
    at = datetime(2026, 3, 1, 12, tzinfo=UTC) - timedelta(days=days_ago)
    return {"customer_id": customer, "at": at, "kind": kind, "score": score, **about}


def feedback(*rows: dict[str, object]) -> pl.DataFrame:
    return pl.DataFrame([{name: row.get(name) for name in FEEDBACK} for row in rows], schema=FEEDBACK)


def found_of(*rows: dict[str, object], said: pl.DataFrame | None = None, at=NOW) -> dict[str, dict[str, object]]:
    purchases = read_purchases(orders(*rows).lazy(), customers(), at)
    frame = satisfaction_figures(purchases, feedback() if said is None else said, Satisfaction())
    return {purchases.ids[row["customer"]]: row for row in frame.iter_rows(named=True)}


def test_ratings_are_counted_and_their_trend_is_newer_less_older_half() -> None:
    row = found_of(*(order("a", 10 - i, rating=r) for i, r in enumerate([2.0, 3.0, 5.0, 4.0, 4.0])))["a"]
    assert (row["ratings"], row["average_rating"], row["last_rating"]) == (5, pytest.approx(3.6), 4.0)
    assert row["rating_trend"] == pytest.approx(4.0 - 2.5)


def test_a_low_rating_or_a_refund_makes_her_unhappy_until_a_better_one() -> None:
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
    said = feedback(
        told("a", 1, "nps", 3), told("a", 9, "nps", 9), told("a", 5, "nps", 6),
        told("a", 8, "csat", 2), told("a", 2, "csat", 5),
        told("a", 7, "complaint"), told("a", 6, "complaint"),
        told("a", -2, "complaint"), told("a", -2, "nps", 10),
        told("nobody", 3, "complaint"),
    )  # fmt: skip
    found = found_of(order("a", 10), order("b", 10, rating=4.0), order("c", 10), said=said)
    assert set(found) == {"a", "b"}
    row = found["a"]
    assert (row["nps"], row["nps_trend"], row["csat"], row["csat_trend"]) == (3, -6.0, 3.5, 3.0)
    assert (row["complaints"], row["last_complaint_at"].day, row["ratings"]) == (2, 23, None)
    assert (found["b"]["nps"], found["b"]["complaints"], found["b"]["ratings"]) == (None, None, 1)


def test_a_complaint_or_a_low_answer_makes_her_unhappy_until_a_better_word() -> None:
    people = ("detractor", "passive", "discontent", "complains", "answered", "rated", "again", "same_instant")
    rows = [order(who, 20) for who in people] + [order("rated", 1, rating=4.0)]
    said = feedback(
        told("detractor", 3, "nps", 6),
        told("passive", 3, "nps", 7),
        told("discontent", 4, "csat", 2),
        told("complains", 5, "complaint"),
        told("answered", 5, "complaint"), told("answered", 4, "csat", 3),
        told("rated", 5, "complaint"),
        told("again", 5, "nps", 9), told("again", 2, "complaint"),
        told("same_instant", 2, "complaint"), told("same_instant", 2, "nps", 9),
    )  # fmt: skip
    found = found_of(*rows, said=said)
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
@given(st.lists(st.tuples(st.sampled_from("ab"), st.integers(-2, 9), WORDS), max_size=12))
def test_she_is_unhappy_since_her_latest_bad_word_unless_a_good_one_is_later(words) -> None:
    rows = [order(who, days, rating=float(score)) for who, days, (kind, score) in words if kind == "rating"]
    said = [told(who, days, kind, score) for who, days, (kind, score) in words if kind != "rating"]
    found = found_of(order("a", 30), order("b", 30), *rows, said=feedback(*said))
    low = {"rating": 2, "nps": 6, "csat": 2}
    for who in "ab":
        hers = [(-days, score is None or score <= low[kind]) for name, days, (kind, score) in words if name == who]
        hers = [(day, bad) for day, bad in hers if day <= 0]
        bad_day = max((day for day, bad in hers if bad), default=None)
        good_day = max((day for day, bad in hers if not bad), default=None)
        unhappy = bad_day is not None and (good_day is None or good_day <= bad_day)
        expected = datetime(2026, 3, 1, 12, tzinfo=UTC) + timedelta(days=bad_day) if unhappy else None
        assert found.get(who, {}).get("unhappy_at") == expected


@pytest.mark.parametrize("said", [told("best", 0, "complaint"), told("best", 0, "nps", 2), told("best", 0, "csat", 1)])
def test_a_valuable_customer_who_complains_or_answers_low_is_found_that_very_day(said: dict[str, object]) -> None:
    rows = [order(f"c{i}", 5 + i, order_cents=1000 + i) for i in range(40)]
    rows += [order("best", d, order_cents=50_000) for d in (20, 10)]
    data = replace(sources(orders(*rows)), feedback=feedback(said, said | {"customer_id": "c3"}))
    built = {
        day: customer_table(data, moment(day), horizon_days=30, config=CustomerConfig())
        for day in ("2026-02-28", "2026-03-01")
    }
    unhappy = {day: found.table.filter("unhappy_valuable")["customer_id"].to_list() for day, found in built.items()}
    assert unhappy == {"2026-02-28": [], "2026-03-01": ["best"]}
    assert {day: found.facts["feedback"] for day, found in built.items()} == {"2026-02-28": 0, "2026-03-01": 2}
    last = built["2026-03-01"].table
    assert last["complaints"].null_count() == 0
    assert last["complaints"].sum() == (2 if said["kind"] == "complaint" else 0)


def test_vendors_and_dishes_answer_for_what_was_said_of_their_orders() -> None:
    placed = orders(order("a", 60, vendor_id="v1"), order("b", 5, vendor_id="v2"))
    data = sources(placed, lines_of(placed, [["dal", "naan"], ["dal"]]), menu=items(
        {"item_id": "dal", "name": "Dal"}, {"item_id": "tea", "vendor_id": "v3"},
    ))  # fmt: skip
    said = feedback(
        told("a", 59, "nps", 9, order_id="o0"), told("b", 4, "nps", 4, order_id="o1"),
        told("a", 40, "complaint", order_id="o0", item_id="naan"),
        told("b", 3, "complaint", item_id="tea"), told("b", 2, "complaint", item_id="tea"),
        told("b", 2, "csat", 3, vendor_id="v1"), told("b", 1, "csat", 1),
        told("b", -1, "complaint", vendor_id="v1"), told("b", 1, "complaint", order_id="never heard of"),
    )  # fmt: skip
    found = vendor_and_dish_ratings(data.orders, data.lines, data.items, said, NOW, Satisfaction())
    assert found.filter(pl.col("ratings") > 0).is_empty()
    assert by_complaints(found).rows() == [
        ("dish", "tea", 2, 2, None, None, None, None),
        ("vendor", "v3", 2, 2, None, None, None, None),
        ("vendor", "v1", 1, -1, 100.0, None, 3.0, None),
        ("dish", "naan", 1, -1, 100.0, None, None, None),
        ("vendor", "v2", 0, 0, -100.0, None, None, None),
        ("dish", "Dal", 0, 0, 0.0, -200.0, None, None),
    ]


def test_vendors_and_dishes_are_ranked_worst_first_with_their_trend() -> None:
    rows = [order("a", d, vendor_id="good", rating=5.0) for d in (60, 5)]
    rows += [order("a", 50, vendor_id="bad", rating=4.0), order("b", 5, vendor_id="bad", rating=1.0)]
    rows += [order("b", -1, vendor_id="bad", rating=5.0), order("b", 4, vendor_id="bad")]
    placed = orders(*rows)
    data = sources(placed, lines_of(placed, [["dal"], ["dal", "naan"], ["naan"], ["naan"], ["naan"], ["naan"]]))
    found = vendor_and_dish_ratings(data.orders, data.lines, data.items, data.feedback, NOW, Satisfaction())
    assert by_complaints(found).is_empty()
    assert found.select("kind", "name", "ratings", "average_rating", "low_share", "trend").rows() == [
        ("vendor", "bad", 2, 2.5, 0.5, -3.0),
        ("dish", "naan", 3, pytest.approx(10 / 3), pytest.approx(1 / 3), pytest.approx(-1.0)),
        ("dish", "dal", 2, 5.0, 0.0, 0.0),
        ("vendor", "good", 2, 5.0, 0.0, 0.0),
    ]
