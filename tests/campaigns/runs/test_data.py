"""What campaigns read of the home folder is read once, and consents anew after every import."""

from __future__ import annotations

import polars as pl
import pytest

from campaigns.runs.data import ImportedConsents, read_data
from engine.errors import NoHistory
from engine.history.tables import upsert_table
from engine.settings import Settings
from tests.campaigns.runs.steps import NOW
from tests.campaigns.town import settle_town


def test_a_home_without_customers_says_to_import_them(settings: Settings) -> None:
    with pytest.raises(NoHistory, match="import with `regulars import orders FILE`"):
        read_data(settings)


def test_figures_are_those_of_the_instant_asked_for(settings: Settings) -> None:
    settle_town(settings, 5, now=NOW)
    data = read_data(settings)
    assert data.figures(NOW)["orders"].to_list() == [1] * 5
    assert (data.currency, data.offers.height) == ("USD", 0)


def test_imported_consents_are_read_again_after_an_import(settings: Settings) -> None:
    consents = ImportedConsents(settings)
    assert consents.current() == {}
    settle_town(settings, 3, now=NOW, consents=(True, None, False))
    assert consents.current() == {"c0": True, "c2": False}
    upsert_table(settings, "customers", pl.DataFrame({"customer_id": ["c0"], "marketing_consent": [False]}))
    assert consents.current() == {"c0": False, "c2": False}
