"""The order history: what an append changes, what a reader sees, what a crash leaves."""

from __future__ import annotations

import fcntl
import os
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.columns import LINES, ORDERS
from engine.errors import BadColumns, BadFile, Conflict
from engine.history import parquet as history
from engine.history.parquet import ParquetHistory

START = datetime(2024, 1, 31, 23, 0, tzinfo=UTC)


def orders_of(*rows: tuple[str, str, datetime, str, int | None]) -> pl.DataFrame:
    schema = {"order_id": pl.String, "customer_id": pl.String, "ordered_at": ORDERS["ordered_at"]}
    return pl.DataFrame(rows, schema={**schema, "status": pl.String, "order_cents": pl.Int64}, orient="row")


def lines_of(orders: pl.DataFrame, *items: str) -> pl.DataFrame:
    kept = orders.select("order_id", "customer_id", "ordered_at", "status")
    frames = [kept.with_columns(item_id=pl.lit(item), line_no=0, quantity=1.0) for item in items]
    return pl.concat(frames) if frames else kept.clear().with_columns(item_id=None, line_no=None, quantity=None)


TWO = orders_of(("a", "anna", START, "placed", 500), ("b", "ben", START + timedelta(hours=2), "delivered", None))


def test_an_empty_history_has_the_full_schema_and_no_window(tmp_path: Path) -> None:
    empty = ParquetHistory(tmp_path / "none")
    assert empty.orders().collect_schema() == pl.Schema(ORDERS)
    assert empty.lines(START).collect_schema() == pl.Schema(LINES)
    assert empty.lines().collect().height == 0
    assert empty.window() is None
    assert empty.counts() == (0, 0)


def test_what_was_appended_is_read_back_with_the_full_schema(tmp_path: Path) -> None:
    kept = ParquetHistory(tmp_path)
    done = kept.append(TWO, lines_of(TWO, "soup", "rice"))
    assert (done.orders_new, done.lines_new) == (2, 4)
    assert kept.orders().collect_schema() == pl.Schema(ORDERS)
    assert kept.orders().collect().select(TWO.columns).sort("order_id").equals(TWO)
    assert kept.lines().collect().height == 4
    assert kept.window() == (START, START + timedelta(hours=2))
    assert len(list(tmp_path.glob("orders-2024-01-*.parquet"))) == 1
    assert len(list(tmp_path.glob("orders-2024-02-*.parquet"))) == 1


def test_appending_the_same_again_changes_nothing(tmp_path: Path) -> None:
    kept = ParquetHistory(tmp_path)
    kept.append(TWO, lines_of(TWO, "soup"))
    before = kept.fingerprint()
    done = kept.append(TWO, lines_of(TWO, "soup"))
    assert (done.orders_same, done.lines_duplicate) == (2, 2)
    assert (done.orders_new, done.orders_updated, done.lines_new) == (0, 0, 0)
    assert kept.fingerprint() == before


def test_the_fingerprint_does_not_depend_on_the_order_of_appends(tmp_path: Path) -> None:
    one, other = ParquetHistory(tmp_path / "one"), ParquetHistory(tmp_path / "other")
    one.append(TWO, lines_of(TWO, "soup", "rice"))
    other.append(TWO[1:], lines_of(TWO[1:], "rice"))
    assert one.fingerprint() != other.fingerprint()
    other.append(TWO.reverse(), lines_of(TWO, "rice", "soup"))
    assert one.fingerprint() == other.fingerprint()


def test_a_new_status_updates_the_order_and_what_its_lines_repeat(tmp_path: Path) -> None:
    kept = ParquetHistory(tmp_path)
    kept.append(TWO, lines_of(TWO, "soup"))
    refunded = TWO[:1].with_columns(status=pl.lit("refunded"), order_cents=pl.lit(None, pl.Int64))
    done = kept.append(refunded, lines_of(TWO))
    assert (done.orders_updated, done.orders_new) == (1, 0)
    row = kept.orders().filter(pl.col("order_id") == "a").collect()
    assert row["status"].to_list() == ["refunded"]
    assert row["order_cents"].to_list() == [500], "null must keep what was known"
    assert kept.lines().filter(pl.col("order_id") == "a").collect()["status"].to_list() == ["refunded"]


@pytest.mark.parametrize(
    "other",
    [orders_of(("a", "zoe", START, "placed", 1)), orders_of(("a", "anna", START + timedelta(days=40), "placed", 1))],
)
def test_an_order_id_of_another_customer_or_instant_is_a_conflict(tmp_path: Path, other: pl.DataFrame) -> None:
    kept = ParquetHistory(tmp_path)
    kept.append(TWO, lines_of(TWO, "soup"))
    before = kept.fingerprint()
    with pytest.raises(Conflict, match="'a'"):
        kept.append(other, lines_of(other))
    assert kept.fingerprint() == before
    with pytest.raises(Conflict, match="'a'"):
        ParquetHistory(tmp_path / "fresh").append(pl.concat([TWO, other]), lines_of(other))


def test_a_line_without_its_order_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Conflict, match="no order"):
        ParquetHistory(tmp_path).append(TWO[:1], lines_of(TWO, "soup"))


def test_a_missing_or_empty_required_column_is_named(tmp_path: Path) -> None:
    with pytest.raises(BadColumns, match="customer_id"):
        ParquetHistory(tmp_path).append(TWO.drop("customer_id"), lines_of(TWO))
    with pytest.raises(BadColumns, match="status"):
        ParquetHistory(tmp_path).append(TWO.with_columns(status=pl.lit(None, pl.String)), lines_of(TWO))


def test_a_writer_killed_before_the_manifest_is_replaced_leaves_the_old_history(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = ParquetHistory(tmp_path)
    kept.append(TWO[:1], lines_of(TWO[:1], "soup"))
    before, rows = kept.fingerprint(), kept.orders().collect()

    def die(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as crash:
        crash.setattr(history, "replace", die)
        with pytest.raises(KeyboardInterrupt):
            kept.append(TWO.with_columns(status=pl.lit("refunded")), lines_of(TWO, "rice"))
    assert len(list(tmp_path.glob("*.parquet"))) > 2, "the crash must come after the files were written"
    assert kept.fingerprint() == before
    assert kept.orders().collect().equals(rows)
    done = kept.append(TWO.with_columns(status=pl.lit("refunded")), lines_of(TWO, "rice"))
    assert (done.orders_new, done.orders_updated) == (1, 1)


def test_a_frame_scanned_before_a_write_still_collects_after_it(tmp_path: Path) -> None:
    kept = ParquetHistory(tmp_path)
    kept.append(TWO, lines_of(TWO, "soup"))
    scanned = kept.orders()
    for name in tmp_path.glob("*.parquet"):
        os.utime(name, (0, 0))  # written long ago
    kept.append(TWO.with_columns(status=pl.lit("refunded")), lines_of(TWO))
    kept.append(TWO.with_columns(status=pl.lit("cancelled")), lines_of(TWO))
    assert set(scanned.collect()["status"]) == {"placed", "delivered"}


def test_files_nobody_names_for_an_hour_are_swept(tmp_path: Path) -> None:
    kept = ParquetHistory(tmp_path)
    kept.append(TWO, lines_of(TWO, "soup"))
    orphan, young = tmp_path / "orders-2020-01-dead.parquet", tmp_path / "orders-2020-01-young.parquet"
    for path in (orphan, young):
        path.write_bytes(b"left by a killed writer")
    old = time.time() - history.KEEP_REPLACED_S - 5
    os.utime(orphan, (old, old))
    kept.append(TWO, lines_of(TWO))
    assert not orphan.exists()
    assert young.exists()
    assert kept.orders().collect().height == 2


def test_a_second_writer_gets_a_clear_refusal(tmp_path: Path) -> None:
    kept = ParquetHistory(tmp_path, lock_wait_s=0.1)
    kept.append(TWO, lines_of(TWO))
    with (tmp_path / ".lock").open("a") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        with pytest.raises(Conflict, match="another process is writing"):
            kept.append(TWO, lines_of(TWO))
    assert kept.append(TWO, lines_of(TWO)).orders_same == 2


def test_a_broken_manifest_is_named(tmp_path: Path) -> None:
    (tmp_path / "manifest.json").write_text("{")
    with pytest.raises(BadFile, match=r"manifest\.json"):
        ParquetHistory(tmp_path).orders()


ROWS = st.lists(st.tuples(st.integers(0, 6), st.sampled_from(["placed", "delivered", "refunded"])), max_size=12)


@settings(max_examples=25, deadline=None)
@given(batches=st.lists(ROWS, max_size=4))
def test_any_sequence_of_appends_equals_a_dictionary(
    tmp_path_factory: pytest.TempPathFactory, batches: list[list[tuple[int, str]]]
) -> None:
    kept = ParquetHistory(tmp_path_factory.mktemp("history"))
    model: dict[str, str] = {}
    for batch in batches:
        frame = orders_of(*((f"o{n}", f"c{n % 2}", START + timedelta(days=9 * n), status, n) for n, status in batch))
        done = kept.append(frame, lines_of(frame, "soup"))
        assert done.orders_new == len({f"o{n}" for n, _ in batch} - model.keys())
        model.update({f"o{n}": status for n, status in batch})
        for table in (kept.orders().collect(), kept.lines().collect()):
            assert dict(table.select("order_id", "status").iter_rows()) == model
            assert table.height == len(model)
