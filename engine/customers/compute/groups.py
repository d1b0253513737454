"""Columns of whom a customer is like: clusters, likeness to the best, rank among prospects."""

from __future__ import annotations

from dataclasses import asdict

import numpy as np
import polars as pl

from engine.customers.compute.inputs import Columns, GroupResult, TableInputs, null_for_nan, spread
from engine.customers.value import clusters, lookalikes


def cluster_figures(inputs: TableInputs, columns: Columns) -> GroupResult:
    """Return the cluster of everyone who ordered; null, and no facts, where too few did."""
    ordered = (columns["orders"] > 0).to_numpy()
    there = np.flatnonzero(ordered)
    features = pl.DataFrame(
        {name: columns[name].cast(pl.Float64).fill_null(float("nan")) for name, _, _, _ in clusters.CLUSTER_FEATURES}
    ).to_numpy()[there]
    found = clusters.find_clusters(features, inputs.config.groups, np.random.default_rng(inputs.seed))
    if found is None:
        return GroupResult({"natural_group": pl.Series([None] * inputs.n, dtype=pl.String)}, {"natural_groups": None})
    names = np.array([cluster.name for cluster in found.clusters])[found.member]
    facts = {
        "groups": [asdict(cluster) for cluster in found.clusters],
        "silhouette": {str(k): value for k, value in found.silhouette.items()},
    }
    return GroupResult({"natural_group": spread(names, there, inputs.n)}, {"natural_groups": facts})


def lookalike_figures(inputs: TableInputs, columns: Columns) -> GroupResult:
    """Return likeness to the best customers, and the rank of prospects by it."""
    names = ("customer_id", "orders", "tier", "zone", "language", "birthday", "price_band", "favourite_daypart",
             "payment_method", "top_cuisines", "registered_at")  # fmt: skip
    table = pl.DataFrame({name: columns[name] for name in names})
    known = inputs.sources.customers.unique("customer_id", keep="last").select("customer_id", "gender")
    gender = table.select("customer_id").join(known, on="customer_id", how="left", maintain_order="left")["gender"]
    ordered = (table["orders"] > 0).to_numpy()
    best = table["tier"].is_in(["platinum", "gold"]).fill_null(False).to_numpy()
    attributes = lookalikes.lookalike_attributes(table, gender, inputs.moment)
    score = lookalikes.lookalike_scores(attributes, ordered, best)
    rank = lookalikes.prospect_ranks(score, table["registered_at"], table["customer_id"], ~ordered)
    return GroupResult({"lookalike_score": null_for_nan(score), "prospect_rank": rank})
