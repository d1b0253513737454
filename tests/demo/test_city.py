"""The simulated city: deterministic, importable, true to its own hours, habits and churn."""

from __future__ import annotations

import ast
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path

import polars as pl
import pytest
from polars.testing import assert_frame_equal

import demo.people
from demo.city import COUPON_CHANCES, PARTS, TRUTH, City, simulate, write_city
from demo.world import CUISINES, DAYPARTS, CityScale
from engine.columns import CUSTOMERS, ITEMS, LINES, OFFERS, ORDERS, VENDORS
from engine.errors import InputError
from engine.imports.intake import import_files
from engine.imports.mapping import ImportMap
from engine.offers.basket import Basket
from engine.offers.offer import saving_on
from engine.offers.table import offers_from
from engine.settings import Settings
from tests.demo.hours import described

UNTIL = datetime(2026, 3, 1, 5, tzinfo=UTC)


@pytest.fixture(scope="module")
def city() -> City:
    return simulate(2_000, seed=11, until=UNTIL)


def test_the_same_seed_gives_the_same_city(city: City) -> None:
    again = simulate(2_000, seed=11, until=UNTIL)
    for name in (*PARTS, "vendors", "items", "offers"):
        assert_frame_equal(getattr(city, name), getattr(again, name))


def test_another_seed_gives_another_city(city: City) -> None:
    other = simulate(2_000, seed=12, until=UNTIL)
    assert not other.lines.equals(city.lines)
    assert not other.items.equals(city.items)


def test_frames_have_the_canonical_schemas(city: City) -> None:
    schemas = {
        "customers": CUSTOMERS, "orders": ORDERS, "lines": LINES, "vendors": VENDORS, "items": ITEMS, "offers": OFFERS,
        "truth": TRUTH,
    }  # fmt: skip
    for name, schema in schemas.items():
        assert getattr(city, name).schema == pl.Schema(schema), name


def test_a_city_of_2000_has_the_stated_size(city: City) -> None:
    assert city.customers.height == city.truth.height == 2_000
    assert city.vendors.height == 60
    assert len(city.world.zones) == 8
    assert city.items.height == 600
    assert set(city.items["cuisine"]) == {cuisine.name for cuisine in CUISINES}
    assert city.items["name_zh"].null_count() == 0
    assert 15 <= city.lines.height / 2_000 <= 26


def test_orders_are_within_the_vendors_hours_weekdays_and_zones(city: City) -> None:
    vendors = described(city)
    assert any(v.closes is not None and v.opens is not None and v.closes < v.opens for v in vendors.values())
    assert any(v.closed_weekdays for v in vendors.values())
    wrong = [
        (vendor, zone, at)
        for vendor, zone, at in city.orders.select("vendor_id", "zone", "ordered_at").iter_rows()
        if not vendors[vendor].serves(zone, at)
    ]
    assert wrong == []


def test_some_orders_are_placed_after_midnight(city: City) -> None:
    hours = city.orders["ordered_at"].dt.convert_time_zone("Asia/Shanghai").dt.hour()
    assert 0.005 < (hours < 2).sum() / len(hours) < 0.1
    assert ((hours >= 2) & (hours < 7)).sum() == 0


def test_lines_belong_to_their_orders_and_add_up(city: City) -> None:
    items = city.items.select("item_id", "price_cents", item_vendor="vendor_id")
    lines = city.lines.join(items, on="item_id", how="left")
    assert (lines["item_vendor"] == lines["vendor_id"]).all()
    assert (lines["line_cents"] == (lines["price_cents"] * lines["quantity"]).cast(pl.Int64)).all()
    assert not lines.select("order_id", "item_id").is_duplicated().any()
    sums = lines.group_by("order_id").agg(pl.col("line_cents").sum())
    orders = city.orders.join(sums, on="order_id", how="left", validate="1:1")
    total = orders["line_cents"] - orders["discount_cents"] + orders["delivery_fee_cents"]
    assert (total == orders["order_cents"]).all()


def test_discounts_are_what_the_offer_gives(city: City) -> None:
    offers = {offer.offer_id: offer for offer in offers_from(city.offers, currency="CNY")}
    sums = city.lines.group_by("order_id").agg(pl.col("line_cents").sum())
    used = city.orders.drop_nulls("offer_id").join(sums, on="order_id")
    assert used["offer_id"].n_unique() == 5  # every public offer is used by somebody, and the issued one by nobody
    for row in used.iter_rows(named=True):
        offer = offers[row["offer_id"]]
        basket = Basket(row["line_cents"], row["delivery_fee_cents"])
        assert saving_on(offer, basket) == row["discount_cents"] > 0
        assert offer.audience != "issued"
        assert offer.zones is None or row["zone"] in offer.zones
        assert offer.valid_until is None or row["ordered_at"] < offer.valid_until
    welcome = used.filter(pl.col("offer_id") == "welcome-30-percent")
    first = city.orders.group_by("customer_id").agg(first=pl.col("ordered_at").min())
    assert (welcome.join(first, on="customer_id").select(pl.col("ordered_at") == pl.col("first"))).to_series().all()


def test_nobody_orders_after_churning_before_joining_or_after_the_end(city: City) -> None:
    orders = city.orders.join(city.truth, on="customer_id")
    assert (orders["ordered_at"] < orders["churned_at"]).drop_nulls().all()
    assert (orders["ordered_at"] >= orders["joined_at"]).all()
    assert (city.orders["ordered_at"] < UNTIL).all()
    assert 0.15 < 1 - city.truth["churned_at"].null_count() / 2_000 < 0.5
    assert (city.truth.drop_nulls("churned_at")["p_order_14d"] == 0).all()


def test_the_city_grows(city: City) -> None:
    joined = (city.truth["joined_at"] - city.plan.start).dt.total_days()
    early = ((joined >= 0) & (joined < 90)).sum()
    late = ((joined >= 270) & (joined < 360)).sum()
    assert late > early > 50


def test_most_later_orders_repeat_a_dish(city: City) -> None:
    delivered = city.lines.sort("ordered_at", "order_id")
    seen = delivered.with_columns(again=~pl.struct("customer_id", "item_id").is_first_distinct())
    recent = seen.filter(pl.col("ordered_at") >= UNTIL - timedelta(days=28))
    assert 0.5 < recent["again"].mean() < 0.8  # type: ignore[operator]


def test_customers_order_what_the_truth_says_they_like(city: City) -> None:
    by_cuisine = city.lines.join(city.items.select("item_id", "cuisine"), on="item_id")
    counts = by_cuisine.group_by("customer_id", "cuisine").len()
    top = city.truth.select("customer_id", n=pl.col("cuisine_shares").arr.arg_max())
    names = [cuisine.name for cuisine in CUISINES]
    top = top.with_columns(cuisine=pl.Series(names).gather(top["n"]))
    share = top.join(counts, on=["customer_id", "cuisine"], how="inner")["len"].sum() / city.lines.height
    assert share > 3 / len(CUISINES)  # three times what chance would give


def test_gaps_follow_the_cadence(city: City) -> None:
    gaps = city.orders.sort("customer_id", "ordered_at").with_columns(
        gap=pl.col("ordered_at").diff().over("customer_id").dt.total_seconds() / 86_400
    )
    many = gaps.group_by("customer_id").agg(pl.col("gap").mean(), n=pl.len()).filter(pl.col("n") >= 20)
    both = many.join(city.truth.select("customer_id", "cadence_days"), on="customer_id")
    ratio = (both["gap"] / both["cadence_days"]).mean()
    assert 0.85 < ratio < 1.15  # type: ignore[operator]


def test_statuses_ratings_consents_and_languages_are_mixed(city: City) -> None:
    status = city.orders["status"].value_counts(normalize=True)
    shares = dict(status.iter_rows())
    assert 0.012 < shares["cancelled"] < 0.03
    assert shares["delivered"] > 0.95
    assert city.orders["rating"].drop_nulls().is_between(1, 5).all()
    assert city.orders.filter(pl.col("status") != "delivered")["rating"].null_count() > 0
    consent = dict(city.customers["marketing_consent"].value_counts().iter_rows())
    assert set(consent) == {True, False, None}
    assert min(consent.values()) > 100
    assert set(city.customers["language"]) == {"en", "zh", None}
    assert city.customers["birthday"].null_count() > 0
    chinese = city.customers.filter(pl.col("language") == "zh")["name"].drop_nulls()
    assert chinese.str.contains(r"^\p{Han}+$").all()


def test_a_coupon_can_help_harm_or_do_nothing(city: City) -> None:
    lifts = city.truth.select(pl.col(name) - pl.col("p_order_14d") for name in COUPON_CHANCES)
    for name in COUPON_CHANCES:
        assert (lifts[name] > 0.05).sum() > 200
        assert (lifts[name] < 0).sum() > 20
    assert city.truth.select(pl.col("^p_order.*$").is_between(0, 0.98).all()).row(0) == (True,) * 4


def test_offers_are_of_every_kind_and_audience(city: City) -> None:
    assert set(city.offers["kind"]) == {"percent", "amount", "free_delivery"}
    assert set(city.offers["audience"]) == {"everyone", "issued", "first_order"}
    ended = city.offers.filter(pl.col("valid_until") < UNTIL)
    assert ended.height == 1


@pytest.mark.parametrize("chunk", [1, 7, 100])
def test_a_written_city_is_the_same_whatever_its_chunks(
    city: City, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, chunk: int
) -> None:
    for module in (demo.people, demo.city):
        monkeypatch.setattr(module, "BLOCK", 30)
    scale = CityScale(customers=170, vendors=24, zones=4)
    whole = simulate(scale, seed=3, until=UNTIL)
    written = write_city(tmp_path / "city", scale, seed=3, until=UNTIL, chunk_customers=chunk * 30)
    assert len(written.files["orders"]) == -(-6 // chunk)
    for name in PARTS:
        read = pl.concat([pl.read_parquet(path) for path in written.files[name]])
        assert_frame_equal(read, getattr(whole, name).select(read.columns))
    assert whole.orders["order_id"].n_unique() == whole.orders.height


def test_a_written_city_imports_without_a_refused_row(tmp_path: Path, home: Path) -> None:
    settings = Settings.from_environment({"REGULARS_CURRENCY": "CNY", "REGULARS_TIMEZONE": "Asia/Shanghai"}, home=home)
    written = write_city(tmp_path / "city", 300, seed=5, until=UNTIL)
    for kind, names in {
        "customers": ["customers"], "vendors": ["vendors"], "items": ["items"], "offers": ["offers"],
        "orders": ["orders", "lines"],
    }.items():  # fmt: skip
        files = [path for name in names for path in written.files[name]]
        summary = import_files(settings, kind, files, ImportMap(), now=UNTIL)  # type: ignore[arg-type]
        assert summary.accepted == summary.read == sum(written.rows[name] for name in names)
        assert summary.warnings == ()
        assert summary.ignored_columns == ()


def test_a_tiny_city_works() -> None:
    assert simulate(1, seed=0, until=UNTIL, days=1).customers.height == 1


@pytest.mark.parametrize(
    ("arguments", "where"),
    [
        ({"scale": 0}, "customers"),
        ({"scale": CityScale.of, "until": datetime(2026, 1, 1)}, "until"),  # noqa: DTZ001
        ({"days": 0}, "days"),
        ({"seed": -1}, "seed"),
    ],
)
def test_arguments_that_make_no_city_are_named(arguments: dict[str, object], where: str) -> None:
    given = {"scale": 10, "seed": 0, "until": UNTIL, "days": 30, **arguments}
    if callable(given["scale"]):
        given["scale"] = CityScale.of(10)
    with pytest.raises(InputError) as caught:
        simulate(**given)  # type: ignore[arg-type]
    assert caught.value.where == where


def test_a_folder_that_holds_something_is_not_written(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("keep")
    with pytest.raises(InputError, match="not an empty folder"):
        write_city(tmp_path, 10, seed=0, until=UNTIL)


def test_no_loop_runs_over_people_or_orders() -> None:
    """Loops and comprehensions stay in the files whose loops are over words, vendors, offers, kinds and blocks."""
    room = Path(demo.people.__file__).parent
    looping = (ast.For, ast.While, ast.AsyncFor, ast.ListComp, ast.DictComp, ast.GeneratorExp, ast.SetComp)
    allowed = {
        # file: what its loops run over
        "lottery.py": set(),
        "people.py": {"range(2)", "CUISINES", "enumerate(SEGMENTS.values())", "enumerate(liked)", "CUSTOMERS.items()"},
        "orders.py": {
            "('who', 'daypart', 'weekday', 'at_s', 'first')", "schema.items()", "enumerate(COUPON_TERMS.values())",
            "enumerate(world.offers.iter_rows(named=True))", "offer['zones'].split('|')",
        },
        "coupons.py": {"COUPON_KINDS", "(without, with_coupon)", "cases"},
    }  # fmt: skip
    for name, over in allowed.items():
        tree = ast.parse((room / name).read_text(encoding="utf-8"))
        found: set[str] = set()
        for node in ast.walk(tree):
            if isinstance(node, ast.For):
                found.add(ast.unparse(node.iter))
            elif isinstance(node, looping):
                assert not isinstance(node, ast.While)
                found |= {ast.unparse(each.iter) for each in getattr(node, "generators", [])}
        assert found == over, name
        for word in ("map_elements", "map_rows", "vectorize", "iterrows", "apply_along_axis"):
            assert word not in ast.unparse(tree), name


def test_dayparts_do_not_overlap() -> None:
    spans = list(DAYPARTS.values())
    assert all(low < high for low, high in spans)
    assert all(one[1] <= two[0] for one, two in pairwise(spans))
