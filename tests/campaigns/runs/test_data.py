"""What campaigns read of the home folder is read once, and consents anew after every import."""

from __future__ import annotations

import pytest

from campaigns.runs.data import read_data
from engine.errors import NoHistory
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
