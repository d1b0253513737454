"""Prospects who share what the best have in common come first."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import polars as pl
import pytest

from engine.customers.value.lookalikes import ATTRIBUTES, lookalike_scores, prospect_ranks


def known(zone: Sequence[str | None], **more: Sequence[str | None]) -> pl.DataFrame:
    return pl.DataFrame(
        {name: more.get(name, zone if name == "zone" else [None] * len(zone)) for name in ATTRIBUTES},
        schema=dict.fromkeys(ATTRIBUTES, pl.String),
    )


def test_what_is_common_among_the_best_raises_and_what_is_rare_lowers() -> None:
    # 100 ordered: 50 in the rich zone of whom 20 are best, 50 elsewhere with 2; then three prospects.
    zone = ["rich"] * 50 + ["poor"] * 50 + ["rich", "poor", None]
    ordered = np.arange(103) < 100
    best = np.isin(np.arange(103), [*range(20), 50, 51])
    score = lookalike_scores(known(zone), ordered, best)
    rich, poor, unknown = score[100:]
    assert poor < unknown < rich
    assert unknown == pytest.approx(22 / 100)
    assert np.isnan(score[best]).all()


def test_a_value_without_orders_adds_little_and_too_few_best_give_no_score() -> None:
    zone = ["a"] * 60 + ["new"]
    ordered = np.arange(61) < 60
    score = lookalike_scores(known(zone), ordered, np.arange(61) < 15)
    assert score[60] == pytest.approx(15 / 60, abs=0.02)
    assert np.isnan(lookalike_scores(known(zone), ordered, np.arange(61) < 5)).all()


def test_prospects_rank_by_score_then_newest_then_id() -> None:
    at = pl.Series([None, 5, 9, 9, 9]).cast(pl.Datetime("us", "UTC"))
    score = np.array([0.9, 0.5, 0.5, 0.5, np.nan])
    ranks = prospect_ranks(score, at, pl.Series(list("abcde")), np.array([False, True, True, True, True]))
    assert ranks.to_list() == [None, 3, 1, 2, 4]
