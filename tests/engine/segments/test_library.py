"""Segments by name: versions, circles, and a name's meaning written out for good."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from sqlalchemy import Engine, select

from engine.database.audit import AuditRow
from engine.database.session import connect, transaction
from engine.errors import BadDefinition, Conflict, NotFound
from engine.segments.definition import ready_segment_names
from engine.segments.library import (
    find_segment_definition,
    inline_segments,
    list_segments,
    save_segment,
    segment_lookup,
    segment_versions,
)
from engine.segments.parse import parse_rule
from engine.segments.rule import Clause, InSegment
from engine.settings import Settings

NOW = datetime(2026, 3, 1, tzinfo=UTC)
TWO = {"orders": {"at_least": 2}}


@pytest.fixture
def database(settings: Settings, database_url: str) -> Iterator[Engine]:
    engine = connect(replace(settings, database_url=database_url))
    yield engine
    engine.dispose()


def put(database: Engine, name: str, tree: object) -> tuple[int, bool]:
    with transaction(database) as session:
        row, fresh = save_segment(session, NOW, name=name, tree=tree, currency="USD", actor="cli:ann")
        return row.version, fresh


def test_a_saved_segment_keeps_every_version_and_who_made_it(database: Engine) -> None:
    assert put(database, "regulars_of_mine", TWO) == (1, True)
    assert put(database, "regulars_of_mine", TWO) == (1, False)
    assert put(database, "regulars_of_mine", {"orders": {"at_least": 3}}) == (2, True)
    with transaction(database) as session:
        assert [(row.version, row.created_by) for row in segment_versions(session, "regulars_of_mine")] == [
            (2, "cli:ann"),
            (1, "cli:ann"),
        ]
        assert find_segment_definition(session, "regulars_of_mine").tree == {"orders": {"at_least": 3}}
        assert [each.name for each in list_segments(session)] == [*ready_segment_names(), "regulars_of_mine"]
        audited = session.scalars(select(AuditRow).where(AuditRow.action == "segment.save")).all()
        assert [(row.actor, row.target) for row in audited] == [("cli:ann", "regulars_of_mine")] * 2


def test_a_wrong_name_or_rule_is_refused_with_its_path(database: Engine) -> None:
    with pytest.raises(BadDefinition, match="name: expected small letters"):
        put(database, "No Good", TWO)
    with pytest.raises(Conflict, match="ready segment"):
        put(database, "platinum", TWO)
    with pytest.raises(BadDefinition, match=r"rule\.all\[0\]\.orderz: unknown field; did you mean 'orders'"):
        put(database, "mine", {"all": [{"orderz": {"at_least": 1}}]})
    with pytest.raises(BadDefinition, match=r"rule\.segment: no ready or saved segment 'platinm'; did you mean"):
        put(database, "mine", {"name": "Mine", "rule": {"segment": "platinm"}})


def test_segments_that_name_each_other_in_a_circle_are_refused(database: Engine) -> None:
    put(database, "one", TWO)
    put(database, "two", {"segment": "one"})
    with pytest.raises(BadDefinition, match="goes in a circle"):
        put(database, "one", {"any": [TWO, {"not": {"segment": "two"}}]})

    def each_other(name: str, _given: object) -> object:
        return {"segment": "b" if name == "a" else "a"}

    with pytest.raises(BadDefinition, match="goes in a circle: a -> b -> a"):
        parse_rule("a", currency="USD", lookup=each_other)
    with pytest.raises(BadDefinition, match="goes in a circle: a -> b -> a"):
        inline_segments("a", each_other)


def test_a_name_written_out_means_the_same_whatever_is_saved_later(database: Engine) -> None:
    put(database, "mine", TWO)
    with transaction(database) as session:
        whole = inline_segments({"all": [{"segment": "mine"}]}, segment_lookup(session))
    put(database, "mine", {"orders": {"at_least": 9}})
    rule = parse_rule(whole, currency="USD")
    assert rule.rules == (InSegment("mine", Clause("orders", "at_least", 2)),)  # type: ignore[union-attr]


def test_a_name_nobody_knows_is_not_found(database: Engine) -> None:
    with transaction(database) as session, pytest.raises(NotFound, match="no ready or saved segment 'ghosts'"):
        find_segment_definition(session, "ghosts")
