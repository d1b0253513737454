"""The words of other systems: compared without case, signs and brackets, each for a column that exists."""

from __future__ import annotations

from typing import Any

import pytest

from engine.columns import STATUSES
from engine.files.yaml import read_yaml
from engine.imports.guess.names import KINDS, NAMES_FILE, bare_name, fitting_names, status_meant, truth_meant
from engine.imports.mapping import names_of, plain_name

COMING = {"ordered_time", "refunded_amount"}  # columns that versions which read such cells have


@pytest.mark.parametrize(
    ("name", "bare"),
    [
        ("Order ID", "orderid"), (" order_id ", "orderid"), ("Order #", "order"), ("金额（元）", "金额"),
        ("收/支", "收支"), ("(id)", "id"), ("Numéro de commande", "numérodecommande"),
    ],
)  # fmt: skip
def test_names_are_compared_without_case_signs_and_brackets(name: str, bare: str) -> None:
    assert bare_name(name) == bare


@pytest.mark.parametrize("kind", KINDS)
def test_every_column_of_the_words_is_one_of_ours_and_the_own_name_comes_first(kind: Any) -> None:
    document: Any = read_yaml(NAMES_FILE, words=True)
    ours = {plain_name(kind, name)[0] for name in names_of(kind)}
    assert set(document["columns"][kind]) - ours <= COMING
    assert all(words[0] == bare_name(name) for name, words in fitting_names(kind).items())


def test_words_of_statuses_and_of_consent_mean_one_thing() -> None:
    document: Any = read_yaml(NAMES_FILE, words=True)
    assert set(document["statuses"]) == set(STATUSES)
    for words in (document["statuses"], document["truths"]):
        every = [word.casefold() for group in words.values() for word in group]
        assert len(every) == len(set(every))
    assert (status_meant("wc-Completed"), status_meant(" 已完成 "), status_meant("??")) == (
        "delivered",
        "delivered",
        None,
    )
    assert (truth_meant("Nein"), truth_meant("是"), truth_meant("maybe")) == ("no", "yes", None)
