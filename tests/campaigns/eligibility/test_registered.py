"""What the customers table says of who may be written to is read anew after every import."""

from __future__ import annotations

import polars as pl

from campaigns.eligibility.registered import Registered, RegisteredPeople
from engine.files.encryption import seal_of
from engine.history.tables import upsert_table
from engine.settings import Settings
from tests.campaigns.runs.steps import NOW
from tests.campaigns.town import settle_town


def test_a_home_without_customers_knows_of_nobody(settings: Settings) -> None:
    assert RegisteredPeople(settings).current() == Registered()


def test_imported_consents_are_read_again_after_an_import(settings: Settings) -> None:
    registered = RegisteredPeople(settings)
    settle_town(settings, 3, now=NOW, consents=(True, None, False))
    assert registered.current().consents == {"c0": True, "c2": False}
    upsert_table(settings, "customers", pl.DataFrame({"customer_id": ["c0"], "marketing_consent": [False]}))
    assert registered.current().consents == {"c0": False, "c2": False}


def test_who_is_whom_is_read_again_after_an_import(settings: Settings) -> None:
    registered = RegisteredPeople(settings)
    settle_town(settings, 3, now=NOW)
    assert registered.current().people.ids("c1") == ("c1",)
    mail = seal_of(settings).seal("ann@example.com")
    upsert_table(settings, "customers", pl.DataFrame({"customer_id": ["c0", "c1"], "email": [mail, mail]}))
    assert registered.current().people.ids("c1") == ("c0", "c1")
