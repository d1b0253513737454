"""The state of a campaign adds up its runs; pausing and resuming change it once."""

from __future__ import annotations

import pytest
from sqlalchemy import Engine

from campaigns.runs.status import campaign_ids, pause_runs, resume_runs, status_of
from engine.database.session import transaction
from engine.errors import Conflict, NotFound
from engine.settings import Settings
from tests.campaigns.runs.steps import NOW, launched, planned
from tests.campaigns.town import winback


def test_decisions_and_messages_are_counted_by_arm_and_state(database: Engine, town: Settings) -> None:
    planned(database, town, winback())
    done = launched(database, town, winback())
    planned(database, town, winback())
    with transaction(database) as session:
        assert campaign_ids(session) == ["winback"]
        found = status_of(session, "winback", now=NOW)
    (run,) = found.runs
    assert (found.plans, run.state, run.launched_at) == (2, "running", NOW)
    assert found.messages == run.messages == {"queued": done.messages}
    assert sum(found.decisions.values()) == done.decisions
    assert found.decisions["treated"] == done.treated
    assert run.reasons == {}


def test_a_run_is_paused_and_resumed_once(database: Engine, town: Settings) -> None:
    planned(database, town, winback())
    launched(database, town, winback())
    with transaction(database) as session:
        assert pause_runs(session, "winback", now=NOW, actor="ann") == 1
        (run,) = status_of(session, "winback", now=NOW).runs
        assert (run.state, run.pause_reason) == ("paused", "paused by ann")
        with pytest.raises(Conflict, match="no run of it is running"):
            pause_runs(session, "winback", now=NOW, actor="ann")
        assert resume_runs(session, "winback", now=NOW, actor="ann") == 1
        (run,) = status_of(session, "winback", now=NOW).runs
        assert (run.state, run.pause_reason) == ("running", None)


def test_a_campaign_never_planned_is_not_found_and_the_nearest_is_named(database: Engine, town: Settings) -> None:
    with transaction(database) as session, pytest.raises(NotFound, match="none was planned yet"):
        status_of(session, "winback", now=NOW)
    planned(database, town, winback())
    with transaction(database) as session, pytest.raises(NotFound, match="did you mean 'winback'"):
        status_of(session, "winbak", now=NOW)
