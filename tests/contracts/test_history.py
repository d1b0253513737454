"""What every order history owes, run on each of them: a new one joins by one line in HISTORIES."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest

from engine.columns import LINES, ORDERS
from engine.errors import BadColumns, Conflict
from engine.history.parquet import ParquetHistory
from engine.history.protocol import History

HISTORIES: dict[str, Callable[[Path], History]] = {"parquet": ParquetHistory}
FIRST = datetime(2024, 1, 31, 23, 0, tzinfo=UTC)
LATER = FIRST + timedelta(hours=2)
PLACED = pl.DataFrame(
    [("a", "anna", FIRST, "placed"), ("b", "ben", LATER, "delivered")],
    schema={"order_id": pl.String, "customer_id": pl.String, "ordered_at": ORDERS["ordered_at"], "status": pl.String},
    orient="row",
)
SOUP = PLACED.with_columns(item_id=pl.lit("soup"), line_no=0, quantity=1.0)


@pytest.fixture(params=sorted(HISTORIES))
def empty(request: pytest.FixtureRequest, tmp_path: Path) -> History:
    return HISTORIES[request.param](tmp_path / "history")


@pytest.fixture
def history(empty: History) -> History:
    empty.append(PLACED, SOUP)
    return empty


def ids(frame: pl.LazyFrame) -> list[str]:
    return sorted(frame.collect()["order_id"].to_list())


def test_an_empty_history_has_schemas_and_no_rows(empty: History) -> None:
    assert empty.orders().collect_schema() == pl.Schema(ORDERS)
    assert empty.lines().collect_schema() == pl.Schema(LINES)
    assert (empty.window(), empty.counts(), list(empty.months())) == (None, (0, 0), [])
    assert empty.known(pl.Series(["a"])).is_empty()


def test_orders_and_lines_are_read_strictly_before_an_instant(history: History) -> None:
    for read in (history.orders, history.lines):
        assert ids(read(before=FIRST)) == []
        assert ids(read(before=LATER)) == ["a"]
        assert ids(read(before=LATER + timedelta(microseconds=1))) == ["a", "b"]


def test_since_keeps_every_order_from_it_on(history: History) -> None:
    assert ids(history.orders(since=LATER)) == ["b"]
    assert "a" in ids(history.orders(since=FIRST))


def test_an_instant_without_time_zone_is_refused(history: History) -> None:
    with pytest.raises(ValueError, match="time zone"):
        history.orders(before=datetime(2024, 2, 1))  # noqa: DTZ001


def test_months_window_and_counts_agree_with_what_was_appended(history: History) -> None:
    assert [(ids(orders), ids(lines)) for orders, lines in history.months()] == [(["a"], ["a"]), (["b"], ["b"])]
    assert history.window() == (FIRST, LATER)
    assert history.counts() == (2, 2)


def test_the_fingerprint_changes_with_the_content_alone(history: History) -> None:
    before = history.fingerprint()
    assert history.append(PLACED, SOUP).orders_same == 2
    assert history.fingerprint() == before
    assert history.append(PLACED.with_columns(status=pl.lit("refunded")), SOUP.clear()).orders_updated == 2
    assert history.fingerprint() != before


def test_known_gives_the_columns_lines_repeat(history: History) -> None:
    found = history.known(pl.Series(["a", "a", None, "unknown"]))
    assert found.columns == ["order_id", "customer_id", "ordered_at", "status", "vendor_id"]
    assert found.rows() == [("a", "anna", FIRST, "placed", None)]


def test_lines_follow_their_order(history: History) -> None:
    history.append(PLACED[:1].with_columns(status=pl.lit("refunded")), SOUP.clear())
    assert history.lines().filter(pl.col("order_id") == "a").collect()["status"].to_list() == ["refunded"]


def test_what_contradicts_history_is_refused_and_changes_nothing(history: History) -> None:
    before = history.fingerprint()
    with pytest.raises(Conflict, match="'a'"):
        history.append(PLACED[:1].with_columns(customer_id=pl.lit("zoe")), SOUP.clear())
    with pytest.raises(Conflict, match="no order"):
        history.append(PLACED.clear(), SOUP[:1].with_columns(order_id=pl.lit("unknown")))
    with pytest.raises(BadColumns, match="customer_id"):
        history.append(PLACED.drop("customer_id"), SOUP)
    assert history.fingerprint() == before
