"""API keys are made, found and revoked; only their digest is kept."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from sqlalchemy import Engine, text

from engine.database.keys import create_key, digest_of, find_key, list_keys, revoke_key
from engine.database.session import connect, transaction
from engine.errors import BadRequest, NotFound
from engine.settings import Settings

NOW = datetime(2026, 1, 2, tzinfo=UTC)


@pytest.fixture
def database(settings: Settings) -> Iterator[Engine]:
    opened = connect(settings)
    yield opened
    opened.dispose()


def test_only_a_digest_is_stored_and_making_a_key_is_audited(database: Engine, settings: Settings) -> None:
    with transaction(database) as session:
        _, key = create_key(session, NOW, name="app", scopes=["recommend"], actor="test")
    dump = b"".join(path.read_bytes() for path in settings.home.glob("regulars.db*"))
    assert digest_of(key).encode() in dump
    assert key.encode() not in dump
    with transaction(database) as session:
        assert session.execute(text("SELECT action FROM audit")).scalars().all() == ["key.create"]
        assert key not in str(session.execute(text("SELECT detail FROM audit")).all())


def test_a_key_is_found_by_its_digest_until_it_is_revoked(database: Engine) -> None:
    with transaction(database) as session:
        key_id, key = create_key(session, NOW, name="app", scopes=["recommend", "events"], actor="test")
        found = find_key(session, digest_of(key))
        assert found is not None
        assert (found.id, found.scopes) == (key_id, "events recommend")
        assert find_key(session, digest_of("rg_another")) is None
        revoke_key(session, NOW, key_id, actor="test")
        assert find_key(session, digest_of(key)) is None
        assert [row.id for row in list_keys(session)] == [key_id]


def test_revoking_twice_is_audited_once(database: Engine) -> None:
    with transaction(database) as session:
        key_id, _ = create_key(session, NOW, name="app", scopes=["events"], actor="test")
        revoke_key(session, NOW, key_id, actor="test")
        revoke_key(session, NOW, key_id, actor="test")
        actions = session.execute(text("SELECT action FROM audit ORDER BY id")).scalars().all()
    assert actions == ["key.create", "key.revoke"]


def test_a_key_that_does_not_exist_cannot_be_revoked(database: Engine) -> None:
    with pytest.raises(NotFound, match="keys list"), transaction(database) as session:
        revoke_key(session, NOW, "none", actor="test")


@pytest.mark.parametrize(("scopes", "message"), [([], "needs a scope"), (["recomend"], "did you mean 'recommend'")])
def test_a_wrong_scope_is_refused_with_a_hint(database: Engine, scopes: list[str], message: str) -> None:
    with pytest.raises(BadRequest, match=message), transaction(database) as session:
        create_key(session, NOW, name="", scopes=scopes, actor="test")
