"""Columns of how content a customer is: ratings, refunds, survey answers, complaints."""

from __future__ import annotations

import numpy as np
import polars as pl

from engine.customers.behaviour.satisfaction import satisfaction_figures, unhappy_valuable
from engine.customers.compute.inputs import Columns, GroupResult, TableInputs


def opinion_figures(inputs: TableInputs, columns: Columns) -> GroupResult:
    """Return ratings, refunds, survey answers, complaints, and who is unhappy and valuable."""
    satisfaction = inputs.config.satisfaction
    found = satisfaction_figures(inputs.purchases, inputs.sources.feedback, satisfaction)
    everybody = pl.DataFrame({"customer": np.arange(inputs.n)}, schema={"customer": pl.UInt32})
    aligned = everybody.join(found, on="customer", how="left", maintain_order="left").with_columns(
        pl.col("ratings", "refunds", "complaints").fill_null(0), tier=columns["tier"], abcd=columns["abcd"]
    )
    unhappy = unhappy_valuable(aligned, inputs.moment, satisfaction)
    kept = aligned.drop("customer", "tier", "abcd")
    return GroupResult({each.name: each for each in kept.iter_columns()} | {"unhappy_valuable": unhappy})
