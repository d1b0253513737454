"""The benchmark of city sizes runs and reports what it measured."""

from __future__ import annotations

from benchmarks import city_size


def test_a_small_city_is_measured_and_reported() -> None:
    rows = [city_size.measure(size) for size in (100, 400)]
    assert [row["customers"] for row in rows] == [100, 400]
    page = city_size.report(rows, "the command")
    for row in rows:
        assert f"| {row['customers']:,} | {row['orders']:,} | {row['lines']:,} |" in page
        assert row["lines"] >= row["orders"] > 0
        assert row["peak_mb"] > 10
    assert "to the power" in page
