"""A newcomer's first list: by language, and by who referred them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from engine.artifact import load
from engine.columns import CUSTOMERS
from engine.history.opening import open_history
from engine.history.tables import read_table, upsert_table
from engine.language import LANGUAGES
from engine.models.query import Place, Query
from engine.recommend.catalog.catalog import build_catalog
from engine.recommend.published.extras import Extras
from engine.recommend.published.model import open_published
from engine.recommend.request import build_request
from engine.settings import Settings
from tests.baskets import tables
from tests.engine.recommend.conftest import NOW, Town, bought, rows
from tests.present import there
from training import run

# Everybody orders tea; who reads Chinese one of twenty dumplings too, who reads English one of twenty pizzas. Gus alone
# likes the pie that ten others had once, and nobody else the stew.
EN, ZH = [f"en{n:02d}" for n in range(40)], [f"zh{n:02d}" for n in range(40)]
CARDS = [
    *({"customer_id": name, "language": name[:2]} for name in (*EN, *ZH)),
    {"customer_id": "gus", "referred_by": "gus"},
    {"customer_id": "en00", "referred_by": "zh00"},
    {"customer_id": "mei", "language": "zh"},
    {"customer_id": "pat", "referred_by": "gus"},
    {"customer_id": "sue", "referred_by": "nobody we know"},
]


def history() -> dict[str, list[tuple[float, list[str]]]]:
    told = {}
    for n, (english, chinese) in enumerate(zip(EN, ZH, strict=True)):
        days = np.arange(0, 85, 9) + n / 10
        told[english] = [(float(day), [f"pizza {n % 20}", "tea"]) for day in days]
        told[chinese] = [(float(day), [f"dumplings {n % 20}", "tea"]) for day in days]
        if n < 10:
            told[english].append((20.5, ["pie"]))
    told["gus"] = [(float(day), ["pie", "stew"]) for day in range(1, 80, 8)]
    return told


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    settings = Settings.from_environment({}, home=tmp_path_factory.mktemp("newcomers"))
    open_history(settings).append(*tables(history()))
    upsert_table(settings, "customers", rows(CUSTOMERS, CARDS))
    return settings


@pytest.fixture(scope="module")
def place(home: Settings) -> Town:
    published = open_published(load(home.artifacts_folder, run.train(home, now=NOW).version))
    empty = read_table(home, "items")
    return Town(published, build_catalog(published.items, empty, read_table(home, "vendors"), timezone="UTC"), home)


def first(town: Town, customer: str | None = None, **asked: str) -> str:
    return next(dish for dish in town.shown(customer, **asked) if dish != "tea").split()[0]


def query(town: Town, customer: str | None, **asked: str) -> Query:
    return build_request(*town.of(customer, **asked), []).query


def test_a_stranger_is_shown_what_those_of_her_language_order(place: Town) -> None:
    assert first(place, language="en") == "pizza"
    assert first(place, language="zh") == "dumplings"


def test_a_registered_newcomers_own_language_says_more_than_that_of_the_app(place: Town) -> None:
    assert first(place, "mei", language="en") == "dumplings"
    assert place.ask("mei", language="en").dishes[0].reason.text.isascii()
    assert query(place, "mei").language == LANGUAGES.index("zh")


def test_an_app_that_does_not_say_leaves_the_language_unknown(place: Town) -> None:
    assert query(place, None).language == query(place, "gus").language == -1


def test_a_newcomer_is_shown_what_who_brought_her_orders_and_not_told_so(place: Town) -> None:
    plain, brought = (place.ask(who, limit=50).dishes for who in (None, "pat"))
    assert [dish.item_id for dish in brought].index("pie") < [dish.item_id for dish in plain].index("pie")
    pie = next(dish for dish in brought if dish.item_id == "pie")
    assert pie.reason.code == "first_order"
    assert "gus" not in pie.reason.text


def test_the_request_may_say_who_brought_her_before_the_customers_table_does(place: Town) -> None:
    assert place.shown("brand new", referred_by="gus") == place.shown("pat")
    assert place.shown(None, referred_by="gus") == place.shown("pat")


def test_a_dish_of_her_friends_that_hardly_anybody_orders_is_not_passed_on(place: Town) -> None:
    stew = place.published.items.row("stew")
    assert stew in there(query(place, "pat").brought_by).items
    part = place.published.scorer.names.index("referral")
    pool = place.published.scorer.pool(query(place, "pat"), build_request(*place.of("pat"), []).allowed, size=50)
    said = dict(zip(pool.columns.tolist(), pool.model_scores[:, part].tolist(), strict=True))
    assert said[stew] == 0
    assert said[place.published.items.row("pie")] == 1


def test_after_her_own_first_order_nobody_asks_who_brought_her(place: Town) -> None:
    context = build_request(*place.of("pat"), [bought("tea", customer="pat")])
    assert context.query.known
    assert context.query.brought_by is None


@pytest.mark.parametrize("who", ["gus", "en00"])
def test_who_has_ordered_is_asked_by_her_own_orders_alone(place: Town, who: str) -> None:
    assert query(place, who).brought_by is None
    assert query(place, who, referred_by="zh00").brought_by is None


def test_a_referrer_nobody_knows_is_said_and_one_who_brought_herself_is_nobody(place: Town) -> None:
    context = build_request(*place.of("brand new", referred_by="ghost"), [])
    assert context.unknown_ids == {"context.referred_by": 1}
    assert "unknown_ids" in context.notes
    assert context.query.brought_by is None
    assert query(place, "sue").brought_by is None
    assert query(place, "brand new", referred_by="brand new").brought_by is None


def test_where_nobody_was_ever_brought_a_referral_is_not_learned_and_the_answer_says_so(town: Town) -> None:
    context = build_request(*town.of("brand new", referred_by="rita"), [])
    assert "referrals_not_learned" in context.notes
    assert town.shown("brand new", referred_by="rita") == town.shown("brand new")


def test_training_counts_languages_and_who_brought_whom(home: Settings) -> None:
    data = run.load_training_set(home)
    names = data.customers.to_list()
    assert data.baskets.language[names.index("zh07")] == LANGUAGES.index("zh")
    assert data.baskets.language[names.index("gus")] == -1
    assert data.baskets.referrer[names.index("en00")] == names.index("zh00")
    assert data.baskets.referrer[names.index("gus")] == -1  # nobody brings herself


def test_an_artifact_of_a_release_that_asked_nobody_who_brought_her_still_opens(place: Town) -> None:
    arrays = {name.removeprefix("extras."): array for name, array in place.published.extras.arrays().items()}
    del arrays["cards.referrer"]
    older = replace(place.published, extras=Extras.from_arrays(arrays))
    assert there(older.extras.cards).referrer_of("pat") == -1
    asked = older.query("pat", [], now=int(NOW.timestamp()), place=Place())
    assert asked.brought_by is None
