"""An offer kind is one file: this one is read from YAML and a table, saves, words itself, and is issued as a coupon."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import ClassVar

import pytest

from campaigns.definition.campaign import parse
from campaigns.rewards.coupons import open_coupons
from campaigns.rewards.terms import promised_offers
from campaigns.rows import CouponRow
from campaigns.runs.data import read_data
from campaigns.runs.launch import launch
from campaigns.runs.plan import make_plan
from engine.database.session import connect, transaction
from engine.history.tables import read_table
from engine.imports.intake import import_files
from engine.money import money_text
from engine.offers.basket import Basket
from engine.offers.kinds.discount import OFFER_KINDS, Discount, register_kind
from engine.offers.kinds.fields import AmountField, TermField
from engine.offers.offer import Offer, saving_on
from engine.offers.table import offers_from
from engine.settings import Settings
from tests.campaigns.town import WINBACK, settle_town

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class RoundDown(Discount):
    """What the dishes cost beyond the last whole multiple of `step_cents`."""

    kind: ClassVar[str] = "round_down"
    fields: ClassVar[Mapping[str, TermField]] = {
        "step_cents": AmountField(name="step", column="amount_cents", required=True, missing="to what it rounds")
    }
    step_cents: int

    def saving(self, basket: Basket) -> int:
        return basket.items_cents % self.step_cents

    def ceiling_cents(self) -> int:
        return self.step_cents - 1

    def worth(self, currency: str, language: str) -> str:
        step = money_text(self.step_cents, currency)
        return f"抹零至 {step}" if language == "zh" else f"what is above a multiple of {step}"


@pytest.fixture(autouse=True)
def kind_is_registered() -> Iterator[None]:
    register_kind(RoundDown)
    yield
    del OFFER_KINDS[RoundDown.kind]


def definition_with(offer: str) -> str:
    return WINBACK.replace("{kind: amount, amount: 5, min_spend: 20, valid_days: 7}", offer)


def test_a_definition_reads_it_and_a_coupon_of_it_is_issued(settings: Settings) -> None:
    definition = parse(definition_with("{kind: round_down, step: 10}"), currency="USD")
    settle_town(settings, 12, now=NOW)
    database = connect(settings)
    with transaction(database) as session:
        plan = make_plan(session, definition, read_data(settings), now=NOW, actor="test")
        assert plan.cost_ceiling_cents == 999 * plan.treated
        launch(session, definition, read_data(settings), now=NOW, actor="test")
        row = session.query(CouponRow).first()
        assert row is not None
        coupons = open_coupons(session, row.customer_id, at=NOW)
        (offer,) = promised_offers(session, coupons, read_table(settings, "offers"))
    database.dispose()
    assert offer is not None
    assert offer.discount == RoundDown(1000)
    assert saving_on(offer, Basket(2350)) == 350


@pytest.mark.parametrize(
    ("offer", "message"),
    [
        ("{kind: round_down}", "offer.step: missing; to what it rounds"),
        ("{kind: round_down, step: -1}", "offer.step: expected an amount in USD above 0"),
        ("{kind: round_down, stap: 1}", "offer.stap: unknown field; did you mean 'step'?"),
        ("{kind: round_dwn, step: 1}", "offer.kind: unknown kind; did you mean 'round_down'?"),
    ],
)
def test_a_wrong_definition_of_it_is_refused_with_its_field(offer: str, message: str) -> None:
    with pytest.raises(Exception, match="offer") as refused:
        parse(definition_with(offer), currency="USD")
    assert message in str(refused.value)


def test_a_file_of_offers_brings_it_in(settings: Settings, tmp_path: Path) -> None:
    file = tmp_path / "offers.csv"
    file.write_text("offer_id,kind,amount\ntens,round_down,10\nnothing,round_down,\n", encoding="utf-8")
    summary = import_files(settings, "offers", [file], None, now=NOW)
    assert (summary.accepted, summary.reasons) == (1, {"missing_terms": 1})
    (offer,) = offers_from(read_table(settings, "offers"), currency="USD")
    assert offer.discount == RoundDown(1000)


def test_it_words_itself_and_is_read_back_from_its_terms() -> None:
    offer = Offer(offer_id="tens", discount=RoundDown(1000), currency="USD")
    assert offer.title() == "what is above a multiple of $10 off"
    assert offer.worth("zh") == "抹零至 $10"
    assert Offer.from_terms(offer.to_terms()) == offer


def test_its_name_cannot_be_taken_twice() -> None:
    @dataclass(frozen=True, slots=True)
    class Other(RoundDown):
        pass

    with pytest.raises(ValueError, match="already"):
        register_kind(Other)
