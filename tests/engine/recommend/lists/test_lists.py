"""What each list shows, and why."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import polars as pl
import pytest

from engine.columns import ITEMS, VENDORS
from engine.errors import BadRequest, NotFound
from engine.events.event import Event
from engine.history.tables import read_table
from engine.recommend.catalog.catalog import build_catalog, catalog_of
from engine.recommend.lists.addons import addon_dishes
from engine.recommend.lists.again import dishes_again
from engine.recommend.lists.featured import FeaturedAnswer, _reason, drawn, feature_dishes
from engine.recommend.lists.similar import similar_dishes
from engine.recommend.lists.vendors import VendorAnswer, distances_km, recommend_vendors
from engine.recommend.response import DishAnswer
from tests.engine.recommend.conftest import NEW, NOW, VENDOR, Town, bought, told
from tests.present import there


def similar(town: Town, item_id: str, customer: str = "c001", fresh: tuple[Any, ...] = (), **asked: Any) -> DishAnswer:
    return similar_dishes(town.published, town.catalog, town.request(customer, **asked), fresh, item_id=item_id)


def again(town: Town, customer: str = "rita", fresh: tuple[Any, ...] | list[Event] = (), **asked: Any) -> DishAnswer:
    return dishes_again(town.published, town.catalog, town.request(customer, **asked), fresh)


def addons(town: Town, *cart: str, customer: str = "c001", fresh: tuple[Any, ...] = (), **asked: Any) -> DishAnswer:
    return addon_dishes(town.published, town.catalog, town.request(customer, cart=cart, **asked), fresh)


def vendors(
    town: Town, customer: str | None = "c001", fresh: tuple[Any, ...] | list[Event] = (), **asked: Any
) -> VendorAnswer:
    return recommend_vendors(town.published, town.catalog, town.request(customer, **asked), fresh)


def featured(town: Town, members: list[str], **asked: Any) -> FeaturedAnswer:
    return feature_dishes(town.published, town.catalog, town.request(None, **asked), members)


def test_what_ritas_customers_order_beside_a_dish_is_similar_to_it(town: Town) -> None:
    answer = similar(town, "d05", limit=3)
    assert len(answer.dishes) == 3
    assert {dish.reason.code for dish in answer.dishes} <= {"same_customers", "similar_to"}
    assert town.catalog.name(town.published.items.row("d05"), "en") in answer.dishes[0].reason.text
    scores = [dish.score for dish in answer.dishes]
    assert scores == sorted(scores, reverse=True)


def test_a_dish_nobody_ordered_is_like_those_with_its_words(town: Town) -> None:
    answer = similar(town, NEW[0], limit=3, language="zh", explain=True)  # a beef soup
    assert answer.dishes[0].source == "content"
    assert answer.dishes[0].reason.text == "与菜n0相似"
    assert there(answer.dishes[0].explained).contributions["item_knn"] == 0


def test_an_unknown_dish_is_told_with_the_nearest_id(town: Town) -> None:
    with pytest.raises(NotFound, match="did you mean 'd05'") as missing:
        similar(town, "d055")
    assert missing.value.where == "item_id"
    with pytest.raises(NotFound, match=r"no dish '汤汤'$"):
        similar(town, "汤汤")


def test_a_cart_is_completed_with_what_goes_in_one_basket(town: Town) -> None:
    answer = addons(town, "d05", customer="rita", limit=6, vendor_id=None)
    assert answer.dishes
    assert {VENDOR[dish.item_id] for dish in answer.dishes} == {VENDOR["d05"]}
    assert all(a.score >= b.score for a, b in zip(answer.dishes, answer.dishes[1:], strict=False))


def test_a_partner_is_named_only_where_the_pair_was_seen_often(town: Town) -> None:
    items = town.published.items
    together = town.published.extras.together
    for cart in ("d01", "d05", "d09"):
        for dish in addons(town, cart, limit=10).dishes:
            if dish.reason.code == "goes_with":
                pair = there(together).partners(np.array([items.row(cart)]), np.array([items.row(dish.item_id)]))
                assert pair.tolist() == [items.row(cart)]


def test_an_empty_cart_cannot_be_completed_and_an_unknown_one_gets_her_usual(town: Town) -> None:
    with pytest.raises(BadRequest) as refused:
        addons(town)
    assert refused.value.where == "context.cart"
    answer = addons(town, "unheard of", limit=3)
    assert "unknown_ids" in answer.notes
    assert answer.unknown_ids == {"context.cart": 1}
    assert [dish.item_id for dish in answer.dishes] == town.shown(limit=3)


def test_again_holds_only_what_she_ordered_and_says_what_is_due(town: Town) -> None:
    friday = NOW.replace(month=3, day=28)  # a week after the last order
    shown = again(town, limit=5, at=friday)
    assert [dish.item_id for dish in shown.dishes] == ["d05", "d06"]
    assert shown.dishes[0].reason.text == "You order this about every 7 days: time for it again"
    assert there(shown.why_short).code == "no_orders"
    soon = again(town, limit=1, at=NOW)
    assert soon.dishes[0].reason.code != "due_now"


def test_again_hears_orders_and_forgets_undone_ones(town: Town) -> None:
    assert again(town, "visitor").dishes == ()
    assert there(again(town, "visitor").why_short).code == "no_orders"
    fresh = [bought("d07", 1, "visitor")]
    assert [dish.item_id for dish in again(town, "visitor", fresh).dishes] == ["d07"]
    undone = [*fresh, told("order_status", 2, "visitor", order_id="o1", status="refunded")]
    assert again(town, "visitor", undone).dishes == ()


def test_again_says_when_what_she_ordered_is_sold_out(town: Town) -> None:
    answer = again(town, "vera")
    assert answer.dishes == ()
    assert there(answer.why_short).code == "unavailable"


def test_vendors_begin_with_the_one_she_orders_from(town: Town) -> None:
    answer = vendors(town, "rita", limit=3)
    assert answer.vendors[0].vendor_id == VENDOR["d05"]
    assert answer.vendors[0].reason.text == "You ordered here 12 times"
    assert all(VENDOR[dish] == vendor.vendor_id for vendor in answer.vendors for dish in vendor.dishes)


def test_only_vendors_that_are_open_and_deliver_are_shown(town: Town) -> None:
    assert {v.vendor_id for v in vendors(town, zone="z0", at=NOW.replace(hour=20), limit=9).vendors} == {"v0", "v3"}
    answer = vendors(town, zone="z1", limit=9)
    assert {v.vendor_id for v in answer.vendors} == {"v0", "v1", "v2", "v3"}
    assert there(answer.why_short).code == "no_vendors"


@pytest.mark.parametrize(
    ("asked", "code"),
    [({"diets": ("kosher",)}, "diets"), ({"vendor_id": "nobody"}, "vendor_unknown"), ({"zone": "z1"}, "no_vendors")],
)
def test_too_few_vendors_are_explained_by_what_took_their_dishes(town: Town, asked: dict[str, Any], code: str) -> None:
    assert there(vendors(town, limit=9, **asked).why_short).code == code


def test_vendors_that_serve_but_cook_nothing_she_can_eat_are_not_called_closed(town: Town) -> None:
    answer = vendors(town, limit=9, zone="z1", allergens=("gluten",))
    assert {v.vendor_id for v in answer.vendors} == {"v0", "v1"}
    assert there(answer.why_short).code == "allergens"
    assert there(vendors(town, limit=9, zone="z1", vendor_id="v0").why_short).code == "vendor"


def test_every_vendor_comes_with_dishes_however_many_better_ones_others_have(
    town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("engine.recommend.lists.vendors.POOL", 3)
    found = vendors(town, "rita", limit=9).vendors
    assert {v.vendor_id for v in found} == {"v0", "v1", "v2", "v3"}
    assert all(v.dishes and {VENDOR[dish] for dish in v.dishes} == {v.vendor_id} for v in found)


@pytest.fixture(scope="module")
def unlisted(town: Town) -> Town:
    """The town without an items table that names vendors: what is known of them is where dishes were ordered."""
    blank = town.catalog.vendor_of * 0 - 1
    return replace(town, catalog=replace(town.catalog, vendor_of=blank))


def ordered_at(town: Town, vendor: str) -> set[str]:
    published = town.published
    return set(published.items.names(published.items_of_vendor(published.vendors.row(vendor))))


def test_where_no_table_names_vendors_they_are_known_by_what_was_ordered_there(town: Town, unlisted: Town) -> None:
    found = vendors(unlisted, "rita", limit=9, zone="z1").vendors
    assert {v.vendor_id for v in found} == {"v0", "v1", "v2", "v3"}
    assert all(v.dishes and set(v.dishes) <= ordered_at(town, v.vendor_id) for v in found)
    assert found[0].reason.text == "You ordered here 12 times"
    # Where they deliver and when they are open holds for them too.
    assert {v.vendor_id for v in vendors(unlisted, None, limit=9, zone="z0", at=NOW.replace(hour=20)).vendors} == {
        "v0", "v3",
    }  # fmt: skip
    assert [v.vendor_id for v in vendors(unlisted, None, limit=9, vendor_id="v3").vendors] == ["v3"]
    tables = (pl.DataFrame(schema=ITEMS), pl.DataFrame(schema=VENDORS))
    nobody = replace(town, catalog=build_catalog(town.published.items, *tables, timezone="UTC"))
    assert {v.name for v in vendors(nobody, None, limit=9).vendors} == {"v0", "v1", "v2", "v3"}


def test_a_cart_is_completed_at_its_vendors_where_only_orders_name_them(unlisted: Town) -> None:
    theirs = set().union(*(own for v in ("v0", "v1", "v2", "v3") if "d03" in (own := ordered_at(unlisted, v))))
    found = addons(unlisted, "d03", customer="rita", limit=19)
    assert {dish.item_id for dish in found.dishes} == theirs - {"d03", "d00"}


def test_a_dish_no_table_gives_to_a_vendor_is_closed_with_the_only_one_that_sells_it(town: Town) -> None:
    nameless = read_table(town.settings, "items").with_columns(vendor_id=pl.lit(None, pl.String))
    catalog = catalog_of(town.published, nameless, read_table(town.settings, "vendors"), timezone="UTC")
    known = replace(town, catalog=catalog)
    only = {dish for dish in NEW if VENDOR[dish] == "v2"}
    assert only <= set(known.shown(None, limit=20))
    assert not only & set(known.shown(None, limit=20, at=NOW.replace(hour=20)))
    several = [d for d in ordered_at(town, "v0") & ordered_at(town, "v1") if d != "d00"]
    assert set(several) <= set(known.shown(None, limit=20, at=NOW.replace(hour=20), zone="z0"))


def test_orders_undone_since_training_are_no_visits_to_their_vendor(town: Town) -> None:
    row = town.published.row_of("rita")
    last = datetime.fromtimestamp(
        int(town.published.baskets.at[town.published.baskets.customer_start[row + 1] - 1]), UTC
    )
    lines = {"order_id": "o1", "items": [{"item_id": "d05"}], "vendor_id": VENDOR["d05"]}
    learned = Event("e1", "order", "rita", last, lines, 1)
    text = vendors(town, "rita", [learned], limit=1).vendors[0].reason.text
    assert text == "You ordered here 12 times"
    trained = town.trained_through(1)
    fresh = [learned, told("order_status", 2, "rita", order_id="o1", status="refunded")]
    assert vendors(trained, "rita", fresh, limit=1).vendors[0].reason.text == "You ordered here 11 times"


def test_a_vendor_few_order_from_is_not_called_popular(town: Town) -> None:
    share = there(town.published.extras.vendors)
    weight = np.where(
        share.keys % share.n_vendors == town.published.vendors.row("v3"),
        share.weight / 20,
        share.weight,
    )
    extras = replace(town.published.extras, vendors=replace(share, weight=weight))
    rare = replace(town, published=replace(town.published, extras=extras))
    for zone, code in ((None, "popular"), ("z1", "popular_nearby"), ("moon", "popular")):
        reasons = {v.vendor_id: v.reason.code for v in vendors(rare, None, zone=zone, limit=9).vendors}
        assert reasons["v0"] == code
        assert reasons["v3"] == "vendor_open"


def test_a_vendor_suits_her_taste_only_where_something_of_hers_speaks_for_its_dish(town: Town) -> None:
    impersonal = replace(
        town.published, models=[m for m in town.published.models if m.name.startswith("popular")], ranker=None
    )
    plain = replace(town, published=impersonal)
    assert "vendor_suits" not in {v.reason.code for v in vendors(plain, "rita", limit=9).vendors}


def test_again_knows_no_quota_of_repeats_and_keeps_its_limits(town: Town) -> None:
    plain = again(town, "c001", limit=4, lists={"most_per_vendor": 1})
    with_quota = again(town, "c001", limit=4, lists={"most_per_vendor": 1, "repeat_max": 0.5})
    assert with_quota == plain


def test_what_fills_a_list_of_addons_does_not_claim_to_go_with_the_cart(town: Town) -> None:
    answer = addons(town, "unheard of", limit=4)
    assert {dish.source for dish in answer.dishes} == {"dishes"}


def test_what_she_orders_every_day_is_not_said_to_come_every_1_days(town: Town) -> None:
    daily = [bought("d07", n, "visitor", hours_ago=24 * n) for n in range(1, 8)]
    assert again(town, "visitor", daily, language="en").dishes[0].reason.code == "due_daily"


def test_an_order_told_late_changes_no_rhythm(town: Town) -> None:
    row = town.published.row_of("rita")
    last = datetime.fromtimestamp(
        int(town.published.baskets.at[town.published.baskets.customer_start[row + 1] - 1]), UTC
    )
    at = last + timedelta(days=6)
    plain = {d.item_id: d.reason.text for d in again(town, "rita", at=at, language="en").dishes}
    assert plain["d05"].startswith("You order this about every 7 days")
    late = bought("d05", 1, "rita", hours_ago=(NOW - last).total_seconds() / 3600 + 24 * 24)
    told_late = {d.item_id: d.reason.text for d in again(town, "rita", [late], at=at, language="en").dishes}
    assert told_late["d05"] == plain["d05"]


def test_an_order_of_this_minute_puts_its_vendor_first(town: Town) -> None:
    fresh = [told("order", n, "visitor", order_id=f"o{n}", items=[{"item_id": "d03"}], vendor_id="v3") for n in (1, 2)]
    first = vendors(town, "visitor", fresh, language="zh").vendors[0]
    assert (first.vendor_id, first.name) == ("v3", "三号厨房")
    assert first.reason.text == "您在这里点过 2 次"


def test_distance_is_told_where_both_places_are_known_and_the_near_one_counts_more(town: Town) -> None:
    found = {v.vendor_id: v for v in vendors(town, None, latitude=31.20, longitude=121.40, limit=9).vendors}
    assert found["v0"].distance_km == 0
    assert found["v1"].distance_km == pytest.approx(1.46, abs=0.05)
    assert found["v3"].distance_km is None
    far = {v.vendor_id: v for v in vendors(town, None, latitude=32.0, longitude=121.40, limit=9).vendors}
    assert far["v0"].parts["usual"] < found["v0"].parts["usual"]


def test_a_degree_of_latitude_is_111_km() -> None:
    places = np.array([[1.0, 0.0], [np.nan, 0.0]])
    assert distances_km(places, 0.0, 0.0)[0] == pytest.approx(111.19, abs=0.05)
    assert np.isnan(distances_km(places, 0.0, 0.0)[1])
    assert np.isnan(distances_km(places, None, 0.0)).all()


def test_what_a_group_orders_more_than_others_is_featured_for_it(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("engine.recommend.lists.featured.SUITS_WITHIN", 3)
    answer = featured(town, ["rita"] * 1, limit=4)
    assert {"d05", "d06"} <= {dish.item_id for dish in answer.dishes}
    assert (answer.members, answer.sampled) == (1, 1)
    assert all(dish.fits == 1 and dish.share == 1 for dish in answer.dishes)
    assert all(dish.lift > 0 for dish in answer.dishes)


def test_of_everybody_nothing_stands_out(town: Town) -> None:
    everybody = town.published.customers.names(np.arange(len(town.published.customers)))
    answer = featured(town, everybody, limit=8)
    assert {round(dish.lift, 1) for dish in answer.dishes} == {1.0}
    assert {dish.reason.code for dish in answer.dishes} == {"group_likes"}


def test_dishes_that_suit_nobody_in_a_group_are_not_said_to_be_gone(
    town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("engine.recommend.lists.featured.SUITS_WITHIN", 3)
    assert there(featured(town, ["rita"], limit=9).why_short).code == "suits_nobody"
    assert there(featured(town, ["rita"], limit=9, language="zh").why_short).text.startswith("其余菜品不在")
    few = featured(town, ["rita"], limit=9, candidates=("d05", "d00"))
    assert (few.dishes[0].item_id, there(few.why_short).code) == ("d05", "unavailable")


@pytest.mark.parametrize(
    ("share", "en", "zh"),
    [(1 / 300, "Suits less than 1 % of this group", "适合该人群的 不到 1 %"), (299 / 300, "Suits 99 % of", " 99 %")],
)
def test_a_share_of_a_group_is_never_rounded_to_nobody_or_everybody(share: float, en: str, zh: str) -> None:
    assert _reason(share, 1.0, "en").text.startswith(en)
    assert zh in _reason(share, 1.0, "zh").text


def test_of_what_is_like_a_dish_filters_are_told_and_not_the_dish_itself(town: Town) -> None:
    every = {dish.item_id for dish in similar(town, "d05", limit=19).dishes}
    answer = similar(town, "d05", limit=19, candidates=("d05", "d06", "d10"), exclude=("d06",))
    assert {"d06", "d10"} <= every
    assert [dish.item_id for dish in answer.dishes] == ["d10"]
    assert there(answer.why_short).code == "all_excluded"


def test_a_group_of_nobody_gets_nothing_and_is_told_so(town: Town) -> None:
    answer = featured(town, [])
    assert answer.dishes == ()
    assert there(answer.why_short).code == "nobody"


def test_the_sample_of_a_group_is_the_same_every_time(town: Town) -> None:
    ids = [f"c{n}" for n in range(1000)]
    assert drawn(ids) == drawn(list(reversed(ids)))
    assert len(drawn(ids)) == 300


def test_lists_can_be_arranged_on_every_shelf(town: Town) -> None:
    answer = similar(town, "d05", lists={"most_per_vendor": 1}, limit=4)
    assert len({VENDOR[dish.item_id] for dish in answer.dishes}) == len(answer.dishes)
    assert again(town, lists={"most_per_vendor": 1}, at=NOW + timedelta(hours=1), limit=1).dishes
