"""Clusters need customers enough; prospects are ranked by likeness to the best."""

from __future__ import annotations

from engine.customers.compute.groups import cluster_figures, lookalike_figures
from engine.customers.compute.inputs import Columns, TableInputs
from engine.customers.compute.orders import dish_figures, habit_figures, order_figures
from engine.customers.compute.value import cadence_figures, value_figures
from tests.engine.customers.compute.given import inputs_of, rows
from tests.engine.customers.histories import customers, order, orders, sources


def columns_before(inputs: TableInputs) -> Columns:
    columns, _, _ = dish_figures(inputs.sources, inputs.purchases, inputs.window_start_s)
    for compute in (habit_figures, order_figures, value_figures, cadence_figures):
        columns |= compute(inputs, columns).columns
    return columns


def test_fewer_than_fifty_customers_make_no_cluster() -> None:
    inputs = inputs_of(sources(orders(order("a", 3))))
    result = cluster_figures(inputs, columns_before(inputs))
    assert result.columns["natural_group"].to_list() == [None]
    assert result.facts == {"natural_groups": None}


def test_everyone_who_ordered_is_in_a_cluster_named_in_the_facts() -> None:
    frequent = [order(f"f{i:02d}", day, order_cents=5000) for i in range(40) for day in range(0, 60, 6)]
    once = [order(f"o{i:02d}", 200 + i) for i in range(40)]
    inputs = inputs_of(sources(orders(*frequent, *once), known=customers({"customer_id": "p"})))
    result = cluster_figures(inputs, columns_before(inputs))
    groups = rows(inputs, result.columns, "natural_group")
    assert groups.pop("p") == (None,)
    names = {name for (name,) in groups.values()}
    assert names == {each["name"] for each in result.facts["natural_groups"]["groups"]}
    assert {groups[f"f{i:02d}"] for i in range(40)}.isdisjoint({groups[f"o{i:02d}"] for i in range(40)})


def test_a_prospect_of_the_zone_of_the_best_ranks_first() -> None:
    placed = [order(f"c{i:03d}", 5, order_cents=90_000 - i if i < 40 else 100, zone="hill" if i < 40 else "port")
              for i in range(400)]  # fmt: skip
    known = customers({"customer_id": "p1", "zone": "port"}, {"customer_id": "p2", "zone": "hill"})
    inputs = inputs_of(sources(orders(*placed), known=known))
    found = lookalike_figures(inputs, columns_before(inputs)).columns
    ranks = rows(inputs, found, "prospect_rank", "lookalike_score")
    assert (ranks["p2"][0], ranks["p1"][0]) == (1, 2)
    assert ranks["p2"][1] > ranks["p1"][1]  # type: ignore[operator]
    assert ranks["c000"] == (None, None)
