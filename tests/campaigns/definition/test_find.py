"""A definition is found by its file, a ready name, or the id of a campaign planned before."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from campaigns.definition.find import (
    READY_FOLDER,
    campaign_id_of,
    find_definition,
    find_file,
    load_definition,
    ready_names,
)
from campaigns.runs.data import read_data
from campaigns.runs.plan import make_plan
from engine.database.session import connect, transaction
from engine.errors import BadDefinition, BadFile, MissingFile, NotFound, RegularsError
from engine.settings import Settings
from tests.campaigns.town import WINBACK, settle_town, winback

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.mark.parametrize("name", ready_names())
@pytest.mark.parametrize("currency", ["USD", "JPY", "OMR"])
def test_every_ready_definition_is_valid_in_any_currency_and_two_languages(name: str, currency: str) -> None:
    definition = load_definition(name, currency=currency)
    assert definition.id == name
    assert set(definition.messages) == {"en", "zh"}
    assert definition.offer is not None
    assert definition.offer.offer is not None


def test_both_promised_definitions_are_shipped() -> None:
    assert {"dormant_winback", "high_value_thank_you"} <= set(ready_names())


def test_a_path_is_told_from_a_ready_name_and_from_an_id(tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text(WINBACK, encoding="utf-8")
    assert find_file(str(file)) == file
    assert find_file("dormant_winback") == READY_FOLDER / "dormant_winback.yaml"
    assert find_file("some_campaign") is None
    with pytest.raises(MissingFile):
        find_file(str(tmp_path / "other.yaml"))


@pytest.mark.parametrize(
    ("content", "error"), [(b"\xff\xfe\x00", BadFile), (b"x" * 300_000, BadFile), (b"id: 1", BadDefinition)]
)
def test_a_file_that_cannot_be_used_is_named(tmp_path: Path, content: bytes, error: type[RegularsError]) -> None:
    file = tmp_path / "mine.yaml"
    file.write_bytes(content)
    with pytest.raises(error) as refused:
        load_definition(str(file), currency="USD")
    assert str(file) in str(refused.value)


def test_an_unknown_name_lists_the_ready_ones() -> None:
    with pytest.raises(NotFound, match="dormant_winback"):
        load_definition("nothing", currency="USD")


def test_a_campaign_planned_before_is_found_by_its_id(settings: Settings) -> None:
    settle_town(settings, 6, now=NOW)
    database = connect(settings)
    with transaction(database) as session:
        make_plan(session, winback(), read_data(settings), now=NOW, actor="test")
        assert find_definition(session, "winback", currency="USD").hash == winback().hash
        assert find_definition(session, "dormant_winback", currency="USD").id == "dormant_winback"
        with pytest.raises(NotFound, match="no campaign planned before"):
            find_definition(session, "nothing", currency="USD")
    database.dispose()


def test_the_id_of_a_file_is_what_it_defines_and_any_other_word_is_an_id(tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text(WINBACK, encoding="utf-8")
    assert campaign_id_of(str(file), currency="USD") == "winback"
    assert campaign_id_of("dormant_winback", currency="USD") == "dormant_winback"
    assert campaign_id_of("planned_before", currency="USD") == "planned_before"


def test_a_files_id_is_read_without_the_segments_it_names(tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    segment = "{all: [{days_since_last_order: {at_least: 30}}, {orders: {at_least: 1}}]}"
    file.write_text(WINBACK.replace(segment, "{segment: saved_one}"), encoding="utf-8")
    assert campaign_id_of(str(file), currency="USD") == "winback"
