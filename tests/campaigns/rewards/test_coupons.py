"""Codes cannot be guessed or mistaken, and a coupon holds to the end of its holder's day."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Engine, select

from campaigns.rewards.coupons import (
    ALPHABET,
    IssuedCoupon,
    code_key,
    draw_code,
    expiry,
    open_coupons,
    unused_coupons,
)
from campaigns.rows import CouponRow
from campaigns.runs.data import read_data
from campaigns.runs.launch import launch
from campaigns.runs.plan import make_plan
from engine.columns import ORDERS
from engine.database.session import connect, transaction
from engine.files.encryption import seal_of
from engine.offers.kinds.amount import Amount
from engine.offers.offer import Offer
from engine.settings import Settings
from tests.campaigns.town import settle_town, winback

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
OFFER = Offer(offer_id="o", discount=Amount(500), currency="USD")
KEY = b"k" * 32


@given(st.text(max_size=40))
def test_a_code_has_twelve_signs_nobody_mistakes(message_id: str) -> None:
    code = draw_code(KEY, message_id)
    assert len(code) == 14
    assert code[4] == code[9] == "-"
    assert set(code.replace("-", "")) <= set(ALPHABET)
    assert not set(ALPHABET) & set("01OI")


def test_codes_differ_between_messages_and_keys() -> None:
    codes = {draw_code(KEY, f"msg_{i}") for i in range(20_000)}
    assert len(codes) == 20_000
    assert draw_code(KEY, "msg_1") != draw_code(b"j" * 32, "msg_1")


def test_every_sign_is_used_evenly() -> None:
    signs = "".join(draw_code(KEY, f"msg_{i}") for i in range(4_000)).replace("-", "")
    counts = [signs.count(each) for each in ALPHABET]
    assert sum(counts) == 48_000
    assert min(counts) > 1_300
    assert max(counts) < 1_700


def test_another_home_draws_other_codes(tmp_path: Path) -> None:
    keys = [code_key(seal_of(Settings.from_environment({}, home=tmp_path / name))) for name in ("a", "b", "a")]
    assert keys[0] == keys[2] != keys[1]


@pytest.mark.parametrize(
    ("zone", "expires_at", "last_day"),
    [
        ("UTC", datetime(2026, 3, 9, tzinfo=UTC), "2026-03-08"),
        ("Asia/Shanghai", datetime(2026, 3, 8, 16, tzinfo=UTC), "2026-03-08"),
        ("America/New_York", datetime(2026, 3, 9, 4, tzinfo=UTC), "2026-03-08"),  # the night the clocks go ahead
        (None, datetime(2026, 3, 9, tzinfo=UTC), "2026-03-08"),
        ("Nowhere/Land", datetime(2026, 3, 9, tzinfo=UTC), "2026-03-08"),
    ],
)
def test_a_coupon_holds_to_the_end_of_its_last_day_in_the_customers_zone(
    zone: str | None, expires_at: datetime, last_day: str
) -> None:
    assert expiry(OFFER, now=NOW, valid_days=7, timezone=zone, fallback="UTC") == (expires_at, last_day)


def test_an_offer_that_ends_sooner_ends_its_coupons() -> None:
    ends = datetime(2026, 3, 3, 0, tzinfo=UTC)
    offer = replace(OFFER, valid_until=ends)
    assert expiry(offer, now=NOW, valid_days=7, timezone="UTC", fallback="UTC") == (ends, "2026-03-02")


@pytest.fixture
def database(settings: Settings) -> Iterator[Engine]:
    settle_town(settings, 30, now=NOW)
    database = connect(settings)
    for act in (make_plan, launch):
        with transaction(database) as session:
            act(session, winback(), read_data(settings), now=NOW, actor="test")
    yield database
    database.dispose()


def test_a_customer_holds_a_coupon_from_issue_to_its_end(database: Engine) -> None:
    with transaction(database) as session:
        row = session.scalars(select(CouponRow)).first()
        assert row is not None
        (held,) = open_coupons(session, row.customer_id, at=NOW)
        assert (held.code, held.terms["discount"], held.terms["currency"]) == (
            row.code,
            {"amount_cents": 500, "cap_cents": None},
            "USD",
        )
        assert open_coupons(session, row.customer_id, at=row.expires_at) == []
        assert open_coupons(session, row.customer_id, at=NOW - timedelta(seconds=1)) == []
        row.state = "revoked"
        session.flush()
        assert open_coupons(session, row.customer_id, at=NOW) == []


def coupon(code: str, *, offer: str = "five", day: int = 0, days: int = 7) -> IssuedCoupon:
    issued = NOW + timedelta(days=day)
    return IssuedCoupon(code, offer, "mei", "winback", 1, {}, issued, issued + timedelta(days=days))


def uses(*named: tuple[str, float, str]) -> pl.DataFrame:
    rows = [
        {"order_id": str(i), "offer_id": offer, "ordered_at": NOW + timedelta(days=day), "status": status}
        for i, (offer, day, status) in enumerate(named)
    ]
    return pl.DataFrame([{name: row.get(name) for name in ORDERS} for row in rows], schema=ORDERS)


def unused(coupons: Sequence[IssuedCoupon], *named: tuple[str, float, str]) -> list[str]:
    return [each.code for each in unused_coupons(coupons, uses(*named))]


def test_a_coupon_is_good_for_one_order_even_one_on_its_way() -> None:
    assert unused([coupon("A"), coupon("B")], ("A", 1, "placed")) == ["B"]


def test_an_order_that_came_to_nothing_gives_the_coupon_back() -> None:
    assert unused([coupon("A")], ("A", 1, "cancelled")) == ["A"]


def test_an_order_that_names_the_offer_used_the_coupon_that_was_to_end_first() -> None:
    assert unused([coupon("late", days=9), coupon("soon", days=3)], ("five", 1, "delivered")) == ["late"]
    assert unused([coupon("A")], ("other", 1, "delivered")) == ["A"]


def test_an_order_from_before_the_issue_used_nothing_of_it() -> None:
    assert unused([coupon("A")], ("five", -1, "delivered")) == ["A"]
