"""A home written by release 0.1.0 opens, shows its coupons with every term, serves, and trains on."""

from __future__ import annotations

import tarfile
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine, func, select
from starlette.testclient import TestClient

from api.app import build
from campaigns.rewards.coupons import open_coupons
from campaigns.rewards.terms import promised_offers
from campaigns.rows import CouponRow
from engine.artifact import live_version
from engine.database.keys import create_key
from engine.database.session import connect, transaction
from engine.history.compaction import compact_inbox
from engine.history.tables import read_table
from engine.offers.kinds.amount import Amount
from engine.settings import Settings
from training import run

ISSUED_AT = datetime(2026, 12, 1, 3, 1, tzinfo=UTC)
STARTS = datetime(2026, 12, 4, tzinfo=UTC)


@pytest.fixture
def old_home(tmp_path: Path) -> Settings:
    with tarfile.open(Path(__file__).with_name("home-0.1.0.tgz")) as archive:
        archive.extractall(tmp_path, filter="data")
    environment = {"REGULARS_CURRENCY": "CNY", "REGULARS_TIMEZONE": "Asia/Shanghai"}
    return Settings.from_environment(environment, home=tmp_path / "home")


@pytest.fixture
def database(old_home: Settings) -> Iterator[Engine]:
    engine = connect(old_home)
    yield engine
    engine.dispose()


def holder_of(database: Engine, offer_id: str) -> str:
    with transaction(database) as session:
        return str(session.scalar(select(CouponRow.customer_id).where(CouponRow.offer_id == offer_id).limit(1)))


def test_every_coupon_gets_its_missing_terms_from_the_offer_it_came_from(old_home: Settings, database: Engine) -> None:
    table = read_table(old_home, "offers")
    bounds: dict[str, set[tuple[object, ...]]] = {}
    with transaction(database) as session:
        assert session.scalar(select(func.count()).select_from(CouponRow)) == 127
        for customer in session.scalars(select(CouponRow.customer_id).distinct()):
            coupons = open_coupons(session, customer, at=ISSUED_AT)
            for coupon, offer in zip(coupons, promised_offers(session, coupons, table), strict=True):
                assert offer is not None
                assert offer.valid_until == coupon.expires_at
                bound = (offer.zones, offer.audience, offer.valid_from, offer.max_per_customer, offer.discount)
                bounds.setdefault(offer.offer_id, set()).add(bound)
    assert bounds == {
        "bound": {(frozenset({"z1"}), "issued", STARTS, 1, Amount(500))},
        "campaign:dormant_winback": {(None, "issued", None, 1, Amount(500))},
    }


def test_the_service_answers_from_the_old_artifact_and_offers_its_coupons_by_their_terms(
    old_home: Settings, database: Engine
) -> None:
    customer = holder_of(database, "bound")
    with transaction(database) as session:
        _, key = create_key(session, datetime.now(UTC), name="test", scopes=("recommend", "customers"), actor="test")
    with TestClient(build(old_home), headers={"Authorization": f"Bearer {key}"}) as client:
        dishes = client.post("/v1/recommend/dishes", json={"customer_id": customer})
        assert dishes.status_code == 200
        assert dishes.json()["items"]

        def offered(at: datetime, zone: str) -> tuple[set[str], dict[str, str]]:
            context = {"at": at.isoformat(), "zone": zone}
            body = {"customer_id": customer, "basket_cents": 5000, "limit": 50, "context": context}
            answer = client.post("/v1/recommend/coupons", json=body)
            assert answer.status_code == 200, answer.text
            found = answer.json()
            lacking = {each["offer_id"]: each["reason"]["code"] for each in found["not_yet"]}
            return {each["offer_id"] for each in found["items"]}, lacking

        items, lacking = offered(ISSUED_AT, "z1")
        assert ("bound" in items, lacking["bound"]) == (False, "not_yet_valid")
        items, lacking = offered(STARTS + timedelta(hours=1), "z2")
        assert ("bound" in items, lacking["bound"]) == (False, "other_zone")
        items, _ = offered(STARTS + timedelta(hours=1), "z1")
        assert "bound" in items
        held = client.get(f"/v1/customers/{customer}").json()
        assert held["figures"]["orders"] > 0


def test_the_home_trains_on_with_the_events_it_received_since(old_home: Settings, database: Engine) -> None:
    before = live_version(old_home.artifacts_folder)
    inbox_through = compact_inbox(database, old_home)
    done = run.train(old_home, now=datetime.now(UTC), inbox_through=inbox_through)
    assert live_version(old_home.artifacts_folder) == done.version != before
