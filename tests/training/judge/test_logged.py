"""Impressions in the inbox, what was ordered after, and what a new ranking would have earned."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from sqlalchemy.engine.base import Engine

from cli.main import run
from engine.columns import UTC_INSTANT
from engine.database.session import connect, migrate, transaction
from engine.events.event import Event
from engine.events.inbox import store
from engine.history.opening import open_history
from engine.models.query import Place
from engine.settings import Settings
from tests.baskets import START, learned_from, random_town, tables
from training.data.matrices import TrainingSet, queries_for
from training.data.split import Split, Target
from training.judge.evaluate import lists_of
from training.judge.logged import IMPRESSION, Impressions, judge_by_log, read_impressions, sentences
from training.learn.stack import Learned, hold_out, train_on_past
from training.report.page import report_html

DISHES = 15
TOLD = random_town(150, DISHES, seed=4)
AT = START + timedelta(days=75)


@pytest.fixture
def inbox(settings: Settings) -> Iterator[Engine]:
    settings.home.mkdir()
    engine = connect(settings)
    migrate(engine)
    yield engine
    engine.dispose()


def impression(number: int, *, customer: str = "c001", at: datetime = AT, **told: int | str | None) -> Event:
    properties = {"item_id": "d01", "request_id": "r1", "slot": 0, "propensity": 0.5} | told
    return Event(f"i{number}", "impression", customer, at, {k: v for k, v in properties.items() if v is not None})


def told_to(inbox: Engine, *events: Event) -> None:
    with transaction(inbox) as session:
        store(session, events, datetime.now(UTC))


def test_only_fit_impressions_of_dish_lists_since_the_split_are_read(inbox: Engine) -> None:
    told_to(
        inbox,
        impression(1),
        impression(2, slot=1, source="exploration", propensity=1),
        impression(3, slot=0, item_id="other"),  # the slot is taken: the first teller is believed
        impression(4, slot=2, propensity=None),
        impression(5, slot=2, propensity=0),
        impression(6, slot=-1),
        impression(7, slot=2, source="similar"),
        impression(8, slot=2, at=AT - timedelta(days=1)),
        Event("v", "view", "c001", AT, {"item_id": "d01"}),
    )
    found = read_impressions(inbox, since=AT)
    assert found.unusable == 3
    assert found.shown.select("slot", "item_id", "propensity").rows() == [(0, "d01", 0.5), (1, "d01", 1.0)]


@pytest.fixture(scope="module")
def learned_town() -> tuple[TrainingSet, Split, Learned, pl.LazyFrame]:
    """A town, what was learned before its split, and its order lines."""
    data = learned_from(TOLD)
    split = hold_out(data, 28)
    return (
        data,
        split,
        train_on_past(data, split, horizon_days=28, seed=0, report=lambda _: None),
        tables(TOLD)[1].lazy(),
    )


def asked_at(split: Split) -> datetime:
    return datetime.fromtimestamp(split.at, UTC) + timedelta(hours=1)


def random_lists(split: Split, seed: int, *, slots: int = 3) -> Impressions:
    """Every customer is shown dishes drawn evenly, just after the split."""
    rng = np.random.default_rng(seed)
    rows = [
        ("r", name, f"d{int(dish):02d}", slot, 1 / DISHES, asked_at(split))
        for name in TOLD
        for slot, dish in enumerate(rng.integers(DISHES, size=slots))
    ]
    return Impressions(pl.DataFrame(rows, schema=IMPRESSION, orient="row"), 0)


def estimates(
    learned_town: tuple[TrainingSet, Split, Learned, pl.LazyFrame], impressions: Impressions, **how: Any
) -> dict[str, Any]:
    data, split, learned, lines = learned_town
    return judge_by_log(impressions, learned, data, split.past, lines, within_days=7, seed=0, **how)


def test_random_lists_tell_without_bias_what_the_ranking_would_have_earned(
    learned_town: tuple[TrainingSet, Split, Learned, pl.LazyFrame],
) -> None:
    data, split, learned, _ = learned_town
    # All orders are known, so the truth is too: customers order, or not, whatever is shown.
    rows = np.arange(len(data.customers))
    now = np.full(len(rows), int(asked_at(split).timestamp()))
    queries = queries_for(split.past, rows, now, [Place()] * len(rows))
    best = lists_of(learned, data, [Target(query, np.empty(0, np.int32)) for query in queries], 3)
    until = asked_at(split) + timedelta(days=7)

    def orders(name: str, column: np.int32) -> bool:
        return any(
            asked_at(split) < START + timedelta(days=day) <= until and data.items[int(column)] in dishes
            for day, dishes in TOLD[name]
        )

    def truth_given(shown: pl.DataFrame) -> float:
        """What the ranking's best dish not shown above earns, slot by slot."""
        earned: list[bool] = []
        above: list[str] = []
        rank = dict(zip(data.customers, best, strict=True))
        for name, item, slot in shown.select("customer_id", "item_id", "slot").iter_rows():
            above = above if slot else []
            earned.append(orders(name, next(c for c in rank[name] if data.items[int(c)] not in above)))
            above.append(item)
        return float(np.mean(earned))

    found, truths = [], []
    for seed in range(40):
        lists = random_lists(split, seed)
        found.append(estimates(learned_town, lists)["estimate"])
        truths.append(truth_given(lists.shown))
    assert np.mean(truths) > 0.02
    for name in ("ips", "doubly_robust"):
        off = np.array([each[name]["value"] for each in found]) - truths
        assert abs(off.mean()) < 4 * off.std() / np.sqrt(len(off)), name
    inside = [each["ips"]["low"] <= truth <= each["ips"]["high"] for each, truth in zip(found, truths, strict=True)]
    assert np.mean(inside) > 0.8
    assert np.mean([each["logged"]["value"] for each in found]) < np.mean(truths) / 2
    assert np.mean([each["support"] for each in found]) == pytest.approx(1, abs=0.1)


def test_a_dish_drawn_by_lot_does_not_make_the_rest_of_the_list_another_one(
    learned_town: tuple[TrainingSet, Split, Learned, pl.LazyFrame],
) -> None:
    data, split, learned, lines = learned_town
    query = queries_for(split.past, np.array([1]), np.array([int(asked_at(split).timestamp())]), [Place()])
    best = lists_of(learned, data, [Target(query[0], np.empty(0, np.int32))], 4)[0]
    first, second, third = (data.items[int(column)] for column in best[:3])
    lot = data.items[int(best[3])]
    rows = [
        ("r", data.customers[1], item, slot, chance, asked_at(split))
        for slot, (item, chance) in enumerate([(first, 1.0), (lot, 0.05), (second, 0.95), (third, 0.95)])
    ]
    shown = Impressions(pl.DataFrame(rows, schema=IMPRESSION, orient="row"), 0)
    found = judge_by_log(shown, learned, data, split.past, lines, within_days=7, seed=0)["estimate"]
    assert found["support"] == pytest.approx((1 + 0 + 2 / 0.95) / 4)


def test_what_is_too_young_to_judge_is_counted_and_left_out(
    learned_town: tuple[TrainingSet, Split, Learned, pl.LazyFrame],
) -> None:
    data = learned_town[0]
    newest = datetime.fromtimestamp(data.last_at, UTC)
    rows = [("r", "c001", "d01", slot, 0.5, newest - timedelta(days=days)) for slot, days in enumerate((8, 6))]
    found = estimates(learned_town, Impressions(pl.DataFrame(rows, schema=IMPRESSION, orient="row"), 2))
    assert (found["too_young"], found["unusable"], found["lists"]) == (1, 2, 1)
    assert found["estimate"]["slots"] == 1


@pytest.mark.parametrize(
    ("ordered", "taken"),
    [
        ({"ordered_at": AT + timedelta(seconds=1)}, 1.0),
        ({"ordered_at": AT + timedelta(days=2)}, 1.0),
        ({"ordered_at": AT}, 0.0),
        ({"ordered_at": AT + timedelta(days=2, seconds=1)}, 0.0),
        ({"status": "cancelled"}, 0.0),
        ({"item_id": "d02"}, 0.0),
        ({"customer_id": "c002"}, 0.0),
    ],
)
def test_taken_means_this_dish_delivered_to_this_customer_within_the_days_after(
    learned_town: tuple[TrainingSet, Split, Learned, pl.LazyFrame], ordered: dict[str, Any], taken: float
) -> None:
    data, split, learned, _ = learned_town
    line = {"customer_id": "c001", "item_id": "d01", "status": "delivered", "ordered_at": AT + timedelta(hours=1)}
    lines = pl.DataFrame([line | ordered], schema_overrides={"ordered_at": UTC_INSTANT}).lazy()
    shown = pl.DataFrame([("r", "c001", "d01", 0, 0.5, AT)], schema=IMPRESSION, orient="row")
    found = judge_by_log(Impressions(shown, 0), learned, data, split.past, lines, within_days=2, seed=0)
    assert found["estimate"]["logged"]["value"] == taken


def test_strangers_and_unknown_dishes_are_judged_as_such(
    learned_town: tuple[TrainingSet, Split, Learned, pl.LazyFrame],
) -> None:
    rows = [("r", "nobody", "martian", 0, 0.5, asked_at(learned_town[1]))]
    found = estimates(learned_town, Impressions(pl.DataFrame(rows, schema=IMPRESSION, orient="row"), 0))
    assert found["estimate"]["support"] == 0
    assert found["estimate"]["logged"]["value"] == 0


def test_without_a_log_one_sentence_says_what_to_send(
    learned_town: tuple[TrainingSet, Split, Learned, pl.LazyFrame],
) -> None:
    found = estimates(learned_town, Impressions(pl.DataFrame(schema=IMPRESSION), 0))
    assert found["estimate"] is None
    (line,) = sentences(found)
    assert "send `impression` events" in line


def regulars(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, *words: Path | str
) -> tuple[object, str, str]:
    monkeypatch.setattr(sys, "argv", ["regulars", *(str(word) for word in words)])
    with pytest.raises(SystemExit) as left:
        run()
    told = capsys.readouterr()
    return left.value.code, told.out, told.err


def test_the_command_estimates_from_the_inbox_and_the_page_shows_it(
    settings: Settings, inbox: Engine, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    open_history(settings).append(*tables(TOLD))
    shown = random_lists(hold_out(learned_from(TOLD), 28), 1).shown
    told_to(
        inbox,
        *(
            impression(n, customer=row["customer_id"], at=row["at"], item_id=row["item_id"], slot=row["slot"])
            for n, row in enumerate(shown.iter_rows(named=True))
        ),
    )
    page = settings.home / "out.html"
    code, out, err = regulars(
        capsys, monkeypatch, "evaluate", "--home", settings.home, "--logged", "--within", "3d", "--json"
    )
    assert not code, err
    found = json.loads(out)
    assert found["logged"]["within_days"] == 3
    assert found["logged"]["estimate"]["slots"] == 450
    assert "450 slots" in report_html(found, language="en")
    code, out, _ = regulars(capsys, monkeypatch, "evaluate", "--home", settings.home, "--logged", "--report", page)
    assert not code
    assert "doubly robust" in out
    assert "线上" not in page.read_text(encoding="utf-8")


def test_a_file_of_the_future_has_no_log(
    settings: Settings, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    code, _, err = regulars(capsys, monkeypatch, "evaluate", "--home", settings.home, "--logged", "--future", "x.csv")
    assert code == 2
    assert "leave out --future" in err
