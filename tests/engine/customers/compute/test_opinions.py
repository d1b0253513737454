"""Every customer has figures of opinion; the valuable and unhappy are marked."""

from __future__ import annotations

from dataclasses import replace

import polars as pl

from engine.customers.compute.opinions import opinion_figures
from tests.engine.customers.compute.given import inputs_of, rows
from tests.engine.customers.histories import customers, feedback, opinion, order, orders, sources


def test_counts_are_zero_and_means_null_where_nothing_was_said_or_rated() -> None:
    data = sources(orders(order("a", 2, rating=4.0), order("b", 1)), known=customers({"customer_id": "p"}))
    inputs = inputs_of(data)
    groups = {"tier": pl.Series(["lead", "lead", None]), "abcd": pl.Series(["A", "B", None])}
    columns = opinion_figures(inputs, groups).columns
    assert rows(inputs, columns, "ratings", "average_rating", "complaints", "unhappy_valuable") == {
        "a": (1, 4.0, 0, False),
        "b": (0, None, 0, False),
        "p": (0, None, 0, False),
    }


def test_only_a_valuable_customer_is_unhappy_and_valuable() -> None:
    data = sources(orders(order("a", 2), order("b", 2)))
    data = replace(data, feedback=feedback(opinion("a", 1, "complaint"), opinion("b", 1, "complaint")))
    inputs = inputs_of(data)
    groups = {"tier": pl.Series(["gold", "lead"]), "abcd": pl.Series(["B", "C"])}
    assert opinion_figures(inputs, groups).columns["unhappy_valuable"].to_list() == [True, False]
