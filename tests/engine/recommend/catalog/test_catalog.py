"""What can be ordered where and when."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import polars as pl
import pytest

from engine.artifact import no_pause
from engine.columns import ITEMS, VENDORS
from engine.errors import BadRequest
from engine.ids import IdMap
from engine.recommend.catalog.catalog import KEPT_MINUTES, Catalog, build_catalog
from engine.recommend.catalog.diets import ALLERGENS, understood

SHANGHAI = ZoneInfo("Asia/Shanghai")


def catalog(
    vendors: tuple[Any, ...] | list[dict[str, Any]] = (),
    items: tuple[Any, ...] | list[dict[str, Any]] = (),
    ids: list[str] | tuple[Any, ...] = ("noodles", "soup"),
    pause: Callable[..., Any] = no_pause,
) -> Catalog:
    rows = [{name: row.get(name) for name in VENDORS} for row in vendors]
    dishes = [{name: row.get(name) for name in ITEMS} for row in items]
    return build_catalog(
        IdMap.of(ids),
        pl.DataFrame(dishes, schema=ITEMS, orient="row"),
        pl.DataFrame(rows, schema=VENDORS, orient="row"),
        timezone="UTC",
        pause=pause,
    )


def open_at(when: datetime, **hours: str) -> bool:
    found = catalog([{"vendor_id": "v", "timezone": "Asia/Shanghai", **hours}], [{"item_id": "soup", "vendor_id": "v"}])
    return bool(found.orderable(None, when)[1])


def test_without_tables_every_dish_can_be_ordered_anywhere() -> None:
    assert catalog().orderable("nowhere", datetime.now(SHANGHAI)).all()


def test_it_is_the_same_however_often_it_is_paused(monkeypatch: pytest.MonkeyPatch) -> None:
    dishes: list[dict[str, Any]] = [
        {"item_id": f"d{n}", "name": f"dish {n}" if n % 2 else "", "name_zh": f"菜{n}"} for n in range(23)
    ]
    for n, dish in enumerate(dishes):
        dish |= {"category": f"k{n % 3}", "allergens": "egg|milk" if n % 4 == 0 else None, "vendor_id": f"v{n % 5}"}
    asked: dict[str, Any] = {
        "items": dishes,
        "ids": [f"d{22 - n}" for n in range(23)],
        "vendors": [{"vendor_id": "v1", "zones": "z"}],
    }
    whole = catalog(**asked)
    paused: list[int] = []
    monkeypatch.setattr("engine.recommend.catalog.catalog.BLOCK", 4)
    found = catalog(**asked, pause=lambda: paused.append(1))
    assert len(paused) > 15
    for name in ("ids", "names", "vendor_ids", "vendors", "vendor_names", "zones"):
        assert getattr(found, name) == getattr(whole, name)
    assert found.names["en"][1] == "dish 21"
    assert found.names["en"][0] == "菜22"
    assert found.vendor_of.tolist() == whole.vendor_of.tolist()
    assert {n: g.tolist() for n, g in found.groups.items()} == {n: g.tolist() for n, g in whole.groups.items()}
    said = found.labels.allergens
    assert set(said) == set(whole.labels.allergens)
    assert all(holds.tolist() == [(22 - n) % 4 == 0 for n in range(23)] for holds in said.values())


@pytest.mark.parametrize(("clock", "expected"), [("09:59", False), ("10:00", True), ("21:59", True), ("22:00", False)])
def test_hours_are_half_open_and_local(clock: str, expected: bool) -> None:
    hour, minute = map(int, clock.split(":"))
    when = datetime(2026, 3, 4, hour, minute, tzinfo=SHANGHAI).astimezone(ZoneInfo("America/New_York"))
    assert open_at(when, opens="10:00", closes="22:00") is expected


@pytest.mark.parametrize(
    ("day", "hour", "expected"), [(2, 23, True), (3, 1, True), (3, 3, False), (3, 23, False), (4, 1, False)]
)
def test_a_night_belongs_to_the_weekday_on_which_it_began(day: int, hour: int, expected: bool) -> None:
    # 2026-03-03 is a Tuesday, on which it is closed: Monday's night still runs until two.
    when = datetime(2026, 3, day, hour, tzinfo=SHANGHAI)
    assert open_at(when, opens="18:00", closes="02:00", closed_weekdays="2") is expected


def test_hours_follow_the_clock_of_the_street_through_daylight_saving() -> None:
    berlin = [{"vendor_id": "v", "timezone": "Europe/Berlin", "opens": "10:00", "closes": "11:00"}]
    found = catalog(berlin, [{"item_id": "soup", "vendor_id": "v"}])
    winter, summer = (
        datetime(2026, 3, 28, 9, 30, tzinfo=ZoneInfo("UTC")),
        datetime(2026, 3, 29, 8, 30, tzinfo=ZoneInfo("UTC")),
    )
    assert found.orderable(None, winter)[1]
    assert found.orderable(None, summer)[1]


def test_a_vendor_delivers_only_to_its_zones_and_an_unasked_zone_limits_nothing() -> None:
    found = catalog([{"vendor_id": "v", "zones": "north|east"}], [{"item_id": "soup", "vendor_id": "v"}])
    now = datetime.now(SHANGHAI)
    assert [bool(found.orderable(zone, now)[1]) for zone in ("north", "east", "south", None)] == [
        True,
        True,
        False,
        True,
    ]


def test_a_dish_or_its_vendor_may_be_unavailable() -> None:
    found = catalog(
        [{"vendor_id": "shut", "available": False}],
        [{"item_id": "noodles", "available": False}, {"item_id": "soup", "vendor_id": "shut"}],
    )
    np.testing.assert_array_equal(found.orderable(None, datetime.now(SHANGHAI)), [False, False])


def test_names_fall_back_from_the_language_asked_to_the_other_to_the_id() -> None:
    found = catalog(items=[{"item_id": "soup", "name_zh": "汤"}], ids=("soup", "tea"))
    assert [found.name(0, "en"), found.name(0, "zh"), found.name(1, "zh")] == ["汤", "汤", "tea"]


def test_dishes_the_models_do_not_know_are_ignored() -> None:
    assert catalog(items=[{"item_id": "brand new"}]).orderable(None, datetime.now(SHANGHAI)).shape == (2,)


def test_what_a_full_menu_leaves_out_is_not_sold_and_what_a_short_list_leaves_out_is() -> None:
    dishes = [{"item_id": "noodles"}, {"item_id": "soup"}]
    noon = datetime(2026, 1, 5, 12, tzinfo=SHANGHAI)
    full = catalog(items=dishes, ids=("noodles", "noodels", "soup"))
    assert full.orderable(None, noon).tolist() == [True, False, True]
    half = catalog(items=dishes, ids=("noodles", "pie", "soup", "tea"))
    assert half.orderable(None, noon).all()
    assert catalog().orderable(None, noon).all()


def test_a_named_allergen_leaves_out_what_holds_it_and_what_nobody_looked_at() -> None:
    dishes = [
        {"item_id": "noodles", "allergens": "Egg|gluten"},
        {"item_id": "soup", "allergens": "none"},
        {"item_id": "tea"},
    ]
    labels = catalog(items=dishes, ids=("noodles", "soup", "tea")).labels
    assert labels.suits(("eggs",), ()).tolist() == [False, True, False]
    assert labels.suits(("fish",), ()).tolist() == [True, True, False]
    assert labels.suits((), ()).all()


@pytest.mark.parametrize(
    ("cell", "held"),
    [
        ("milk, eggs", {"milk", "eggs"}),
        ("Milk; Eggs", {"milk", "eggs"}),
        ("milk/eggs", {"milk", "eggs"}),
        ("牛奶、鸡蛋", {"milk", "eggs"}),
        ("含有麸质的谷物，甲壳纲类动物", {"gluten", "crustaceans"}),
        ("may contain traces of peanut", {"peanuts"}),
        ("Milk powder|soy sauce", {"milk", "soya"}),
        ("contains egg and milk", {"milk", "eggs"}),
        ("none", set()),
    ],
)
def test_an_allergen_counts_however_the_cell_that_names_it_is_written(cell: str, held: set[Any]) -> None:
    labels = catalog(items=[{"item_id": "dish", "allergens": cell}], ids=("dish",)).labels
    assert {word for word in ALLERGENS if not labels.suits((word,), ())[0]} == held


@pytest.mark.parametrize("cell", ["-", "?", " ", "N/A", "unknown", "未知"])
def test_a_cell_that_says_nothing_is_no_word_that_a_dish_holds_nothing(cell: str) -> None:
    labels = catalog(items=[{"item_id": "dish", "allergens": cell}], ids=("dish",)).labels
    assert not labels.suits(("milk",), ()).any()


def test_diets_are_separated_as_allergens_are_but_never_guessed() -> None:
    dishes = [{"item_id": "a", "diets": "vegetarian, vegan"}, {"item_id": "b", "diets": "not vegan"}]
    labels = catalog(items=dishes, ids=("a", "b")).labels
    assert labels.suits((), ("vegan",)).tolist() == [True, False]


def test_a_diet_lets_only_labelled_dishes_through() -> None:
    dishes = [{"item_id": "noodles", "diets": "素食|halal"}, {"item_id": "soup"}]
    labels = catalog(items=dishes).labels
    assert labels.suits((), ("vegetarian",)).tolist() == [True, False]
    assert labels.suits((), ("vegetarian", "vegan")).tolist() == [False, False]


def test_none_is_no_allergen_to_avoid() -> None:
    dishes = [{"item_id": "noodles", "allergens": "egg"}, {"item_id": "soup", "allergens": "none"}]
    labels = catalog(items=dishes).labels
    assert "none" not in labels.allergen_words
    with pytest.raises(BadRequest, match="'none' is unknown"):
        understood(["none"], labels.allergen_words, "context.allergens")
    assert labels.suits(("eggs",), ()).tolist() == [False, True]


def test_a_misspelt_allergen_is_refused_with_the_nearest_word() -> None:
    with pytest.raises(BadRequest, match="did you mean 'peanuts'") as refused:
        understood(["milk", "penuts"], ALLERGENS, "context.allergens")
    assert refused.value.where == "context.allergens[1]"
    assert understood(["Tree Nuts", "花生", "peanut"], ALLERGENS, "x") == ("nuts", "peanuts")


def test_what_is_orderable_is_kept_for_the_minute_and_sealed() -> None:
    found = catalog([{"vendor_id": "v", "opens": "10:00", "closes": "11:00"}], [{"item_id": "soup", "vendor_id": "v"}])
    early = datetime(2026, 3, 4, 9, 59, 59, tzinfo=ZoneInfo("UTC"))
    before = found.orderable("north", early)
    assert found.orderable("south", early.replace(second=1)) is before  # no vendor names either zone
    assert not before[1]
    assert found.orderable("north", early.replace(hour=10, minute=0))[1]
    with pytest.raises(ValueError, match="read-only"):
        before[0] = True


def test_an_answer_is_kept_while_the_same_doors_are_open() -> None:
    found = catalog([{"vendor_id": "v", "opens": "10:00", "closes": "11:00"}], [{"item_id": "soup", "vendor_id": "v"}])
    at = datetime(2026, 3, 4, 10, 1, tzinfo=ZoneInfo("UTC"))
    before = found.orderable(None, at)
    assert found.orderable(None, at + timedelta(minutes=58)) is before
    assert found.orderable(None, at + timedelta(minutes=59)) is not before


def test_the_answers_kept_are_few(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("engine.recommend.catalog.catalog.KEPT_BYTES", 20)
    zones = [f"z{number}" for number in range(60)]
    found = catalog([{"vendor_id": "v", "zones": "|".join(zones)}], [{"item_id": "soup", "vendor_id": "v"}])
    for minute, zone in enumerate([*zones, *(f"unheard of {number}" for number in range(99))]):
        found.orderable(zone, datetime(2026, 3, 4, tzinfo=ZoneInfo("UTC")) + timedelta(minutes=minute))
    assert len(found._kept) <= 11
    assert len(found._opened) <= KEPT_MINUTES
    assert len(found._delivering) <= len(zones) + 2
