"""A definition writes its offer in place or names one of the offers table; both make the same kind of offer."""

from __future__ import annotations

import polars as pl
import pytest

from campaigns.definition.offer_terms import DEFAULT_VALID_DAYS, OfferTerms, parse_terms
from engine.columns import OFFERS
from engine.errors import BadDefinition
from engine.offers.kinds.amount import Amount
from engine.offers.kinds.free_delivery import FreeDelivery
from engine.offers.kinds.percent import Percent
from engine.offers.offer import Offer


def terms(tree: object, currency: str = "USD") -> OfferTerms:
    found = parse_terms(tree, campaign_id="gift", currency=currency)
    assert found is not None
    return found


def table(**row: object) -> pl.DataFrame:
    return pl.DataFrame([{name: row.get(name) for name in OFFERS}], schema=OFFERS)


def test_a_definition_without_an_offer_gives_none() -> None:
    assert parse_terms(None, campaign_id="gift", currency="USD") is None


def test_an_offer_written_in_place_is_for_its_coupons_alone_and_used_once() -> None:
    found = terms({"kind": "amount", "amount": 5, "min_spend": 20, "valid_days": 7})
    assert found.offer == Offer(
        offer_id="campaign:gift",
        discount=Amount(500),
        currency="USD",
        min_spend_cents=2000,
        audience="issued",
        max_per_customer=1,
    )
    assert found.valid_days == 7


@pytest.mark.parametrize(
    ("tree", "discount"),
    [
        ({"kind": "percent", "percent": 12.5, "cap": 5}, Percent(1250, 500)),
        ({"kind": "free_delivery", "cap": 3}, FreeDelivery(300)),
        ({"kind": "amount", "amount": "0.50"}, Amount(50)),
    ],
)
def test_each_kind_reads_its_own_fields(tree: object, discount: object) -> None:
    offer = terms(tree).offer
    assert offer is not None
    assert offer.discount == discount


def test_amounts_are_in_the_currencys_own_digits() -> None:
    offer = terms({"kind": "amount", "amount": 500}, "JPY").offer
    assert offer is not None
    assert offer.discount == Amount(500)


@pytest.mark.parametrize(
    ("name", "names"),
    [
        ("Five off", ("Five off", None)),
        ({"en": "Five off", "zh": "减五元"}, ("Five off", "减五元")),
        (None, (None, None)),
    ],
)
def test_a_name_is_text_or_one_a_language(name: object, names: tuple[str | None, str | None]) -> None:
    offer = terms({"kind": "amount", "amount": 5, "name": name}).offer
    assert offer is not None
    assert (offer.name, offer.name_zh) == names


@pytest.mark.parametrize(
    ("tree", "message"),
    [
        ([], "offer: expected `kind: amount`"),
        ({"kind": "amount", "amount": 5, "cap": 3}, "offer.cap: unknown field"),
        ({"kind": "free_delivery"}, "offer.cap: missing; the most one coupon may cost in USD"),
        ({"kind": "percent"}, "offer.cap: missing"),
        ({"kind": "amount", "amount": 5, "min_spend": 0}, "offer.min_spend: expected an amount in USD above 0"),
        ({"kind": "amount", "amount": 5, "name": {"fr": "Cinq"}}, "offer.name.fr: unknown language"),
        ({"kind": "amount", "amount": 5, "name": 5}, "offer.name: expected text"),
        ({"offer_id": 5}, "offer.offer_id: expected the offer's id"),
        ({"offer_id": "five", "amount": 5}, "offer.amount: unknown field"),
    ],
)
def test_a_wrong_offer_is_refused_with_its_field(tree: object, message: str) -> None:
    with pytest.raises(BadDefinition) as refused:
        terms(tree)
    assert str(refused.value).startswith(message)


def test_a_named_offer_is_the_tables_row() -> None:
    found = terms({"offer_id": "five"})
    row = table(offer_id="five", kind="amount", amount_cents=500, zones="z1")
    assert found.valid_days == DEFAULT_VALID_DAYS
    assert found.resolve(row, currency="USD").zones == frozenset({"z1"})
    with pytest.raises(BadDefinition, match="no offer 'five' is imported; did you mean 'fives'"):
        found.resolve(table(offer_id="fives", kind="amount", amount_cents=500), currency="USD")
    with pytest.raises(BadDefinition, match="import it with"):
        found.resolve(table().clear(), currency="USD")
