"""A coupon promises every term of its offer; one issued by release 0.1.0 gets the missing terms from where it came."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import orjson
import polars as pl
import pytest
from sqlalchemy import Engine, select, update
from sqlalchemy.orm import Session

from campaigns.definition.campaign import parse
from campaigns.rewards.coupons import IssuedCoupon, codes_issued_to, open_coupons
from campaigns.rewards.terms import complete_terms, promised_offer, promised_offers
from campaigns.rows import CouponRow, RunRow
from campaigns.runs.data import read_data
from campaigns.runs.launch import launch
from campaigns.runs.plan import make_plan
from engine.columns import OFFERS
from engine.database.session import connect, transaction
from engine.history.tables import read_table, upsert_table
from engine.offers.kinds.amount import Amount
from engine.offers.offer import Offer
from engine.settings import Settings
from tests.campaigns.town import WINBACK, settle_town

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
ENDS = datetime(2026, 3, 9, tzinfo=UTC)
BOUND = Offer(
    offer_id="bound",
    discount=Amount(500),
    currency="USD",
    name="Five off",
    min_spend_cents=2000,
    valid_from=datetime(2026, 3, 4, tzinfo=UTC),
    valid_until=datetime(2027, 3, 1, tzinfo=UTC),
    zones=frozenset({"z1"}),
    vendor_ids=frozenset({"v1"}),
    audience="issued",
    max_per_customer=1,
)
# What release 0.1.0 wrote for a coupon of an offer that took 4.00 off then.
OLD_TERMS = {
    "kind": "amount",
    "percent_points": 0,
    "amount_cents": 400,
    "cap_cents": None,
    "min_spend_cents": 1500,
    "currency": "USD",
    "name": "Four off",
    "name_zh": "立减 $4",
}


def coupon(terms: dict[str, object]) -> IssuedCoupon:
    return IssuedCoupon("ABCD", "bound", "c1", "gift", 1, terms, ENDS - timedelta(days=9), ENDS)


def test_a_coupon_promises_its_offer_until_the_coupon_ends() -> None:
    assert promised_offer(coupon(BOUND.to_terms()), None) == replace(BOUND, valid_until=ENDS)


def test_an_offer_that_ends_sooner_ends_the_promise() -> None:
    sooner = replace(BOUND, valid_until=datetime(2026, 3, 5, tzinfo=UTC))
    assert promised_offer(coupon(sooner.to_terms()), None) == sooner


def test_old_terms_keep_what_they_said_and_take_the_rest_from_their_offer() -> None:
    promised = promised_offer(coupon(OLD_TERMS), BOUND)
    assert promised == replace(
        BOUND, name="Four off", name_zh="立减 $4", discount=Amount(400), min_spend_cents=1500, valid_until=ENDS
    )


def test_old_terms_without_their_offer_are_unknown() -> None:
    assert complete_terms(OLD_TERMS, None) is None
    assert promised_offer(coupon(OLD_TERMS), None) is None


def test_terms_of_a_later_release_are_unknown() -> None:
    assert promised_offer(coupon(BOUND.to_terms() | {"version": 9}), BOUND) is None


def offers_table(settings: Settings, **changes: object) -> None:
    row = {
        "offer_id": "bound", "kind": "amount", "amount_cents": 500, "zones": "z1", "vendor_ids": "v1",
        "audience": "issued", "max_per_customer": 1, "currency": "USD",
    } | changes  # fmt: skip
    upsert_table(settings, "offers", pl.DataFrame([{name: row.get(name) for name in OFFERS}], schema=OFFERS))


@pytest.fixture
def database(settings: Settings) -> Iterator[Engine]:
    """A home where two campaigns were launched: `winback` writes its offer in place, `gift` names a table's."""
    settle_town(settings, 12, now=NOW)
    offers_table(settings)
    database = connect(settings)
    own_offer = "{kind: amount, amount: 5, min_spend: 20, valid_days: 7}"
    gift = WINBACK.replace("id: winback", "id: gift").replace(own_offer, "{offer_id: bound}")
    for definition in (parse(WINBACK, currency="USD"), parse(gift, currency="USD")):
        for act in (make_plan, launch):
            with transaction(database) as session:
                act(session, definition, read_data(settings), now=NOW, actor="test", global_holdout=0.0)
    yield database
    database.dispose()


def promised(session: Session, settings: Settings) -> dict[str, Offer | None]:
    """Return what the coupons of a customer who has one of both campaigns promise, by offer id."""
    both = select(CouponRow.customer_id).where(CouponRow.offer_id == "bound")
    customer = session.scalar(
        select(CouponRow.customer_id).where(CouponRow.offer_id != "bound", CouponRow.customer_id.in_(both))
    )
    assert customer is not None
    coupons = open_coupons(session, customer, at=NOW)
    assert sorted(codes_issued_to(session, customer).values()) == ["bound", "campaign:winback"]
    offers = promised_offers(session, coupons, read_table(settings, "offers"))
    return {each.offer_id: offer for each, offer in zip(coupons, offers, strict=True)}


def write_old_terms(session: Session) -> None:
    session.execute(update(CouponRow).values(terms=orjson.dumps(OLD_TERMS).decode()))


def test_a_launched_coupon_holds_every_term_whatever_the_table_says_later(database: Engine, settings: Settings) -> None:
    offers_table(settings, zones="z9", amount_cents=100)
    with transaction(database) as session:
        bound = promised(session, settings)["bound"]
    assert bound is not None
    assert (bound.zones, bound.vendor_ids, bound.discount) == (frozenset({"z1"}), frozenset({"v1"}), Amount(500))


def test_coupons_of_release_0_1_0_are_completed_from_table_and_definition(database: Engine, settings: Settings) -> None:
    with transaction(database) as session:
        write_old_terms(session)
        offers = promised(session, settings)
    bound, own = offers["bound"], offers["campaign:winback"]
    assert bound is not None
    assert own is not None
    assert (bound.zones, bound.vendor_ids, bound.max_per_customer) == (frozenset({"z1"}), frozenset({"v1"}), 1)
    assert (own.zones, own.audience, own.max_per_customer) == (None, "issued", 1)
    assert bound.discount == own.discount == Amount(400)


def test_coupons_of_release_0_1_0_whose_offer_is_gone_are_unknown(database: Engine, settings: Settings) -> None:
    with transaction(database) as session:
        write_old_terms(session)
        session.execute(update(RunRow).where(RunRow.campaign_id == "winback").values(definition="{}"))
        (settings.tables_folder / "offers.parquet").unlink()
        assert promised(session, settings) == {"bound": None, "campaign:winback": None}
