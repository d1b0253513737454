"""`/v1/segments` over the simulated city."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from api.app import build
from engine.settings import Settings
from tests.api.conftest import key_for
from tests.engine.segments.city import AS_OF, ENV, city_home

AT = AS_OF.isoformat()


@pytest.fixture
def client(home: Path) -> Iterator[TestClient]:
    shutil.copytree(city_home(), home)
    settings = Settings.from_environment(ENV, home=home)
    key = key_for(settings, "segments")
    with TestClient(build(settings), headers={"Authorization": f"Bearer {key}"}) as client:
        yield client


def test_a_named_segment_and_its_tree_count_the_same(client: TestClient) -> None:
    named = client.post("/v1/segments/count", json={"segment": "one_timers", "as_of": AT}).json()
    tree = client.get("/v1/segments/one_timers").json()["rule"]
    written = client.post("/v1/segments/count", json={"segment": tree}).json()
    assert named == written
    assert named["customers"] > 0
    cuisine = {"segment": "lovers_of_cuisine", "parameters": {"cuisine": "Sichuan"}}
    assert client.post("/v1/segments/count", json=cuisine).json()["customers"] > 0


def test_a_segment_is_saved_listed_previewed_and_explained(client: TestClient) -> None:
    rule = {"all": [{"segment": "new"}, {"push_reachable": True}]}
    assert client.put("/v1/segments/fresh", json={"definition": rule}).json() == {
        "segment": "fresh",
        "version": 1,
        "new": True,
    }
    listed = {each["segment"]: each for each in client.get("/v1/segments").json()["segments"]}
    assert listed["fresh"]["created_by"].startswith("key:")
    assert listed["fresh"]["rule"] == rule
    preview = client.post("/v1/segments/preview", json={"segment": "fresh", "sample": 2}).json()
    assert preview["reach"]["push"]["address"] == preview["customers"]
    who = preview["sample"][0]["customer_id"]
    told = client.post("/v1/segments/explain", json={"segment": "fresh", "customer_id": who}).json()
    assert told["matched"] is True
    assert told["explained"]["inner"][0]["inner"][1] == {
        "kind": "clause",
        "matched": True,
        "field": "push_reachable",
        "operator": "equals",
        "expected": True,
        "value": True,
    }


def test_what_is_wrong_has_a_status_a_code_and_a_path(client: TestClient) -> None:
    def refused(status: int, path: str, **body: object) -> dict[str, Any]:
        answer = client.post(f"/v1/segments/{path}", json=body)
        assert answer.status_code == status, answer.text
        return answer.json()

    wrong = refused(422, "count", segment={"all": [{"orderz": {"at_least": 1}}]})
    assert (wrong["code"], wrong["field"]) == ("bad_definition", "segment.all[0].orderz")
    assert refused(422, "count", segment="platinm")["detail"].endswith("did you mean 'platinum'?")
    assert refused(422, "count", segment="new", as_of="soon")["field"] == "as_of"
    assert refused(404, "explain", segment="new", customer_id="nobody")["code"] == "not_found"
    assert refused(422, "count", segment={"segment": "new"}, parameters={"x": 1})["field"] == "parameters"
    assert refused(422, "preview", segment="new", sampel=3)["code"]
    taken = client.put("/v1/segments/platinum", json={"definition": {"orders": {"at_least": 1}}})
    assert (taken.status_code, taken.json()["code"]) == (409, "conflict")
    assert client.get("/v1/segments/ghosts").status_code == 404


def test_the_schema_is_served(client: TestClient) -> None:
    assert client.get("/v1/segments/schema").json()["title"] == "Segment"


def test_a_key_without_the_scope_stays_out(client: TestClient, home: Path) -> None:
    other = key_for(Settings.from_environment(ENV, home=home), "events")
    answer = client.post("/v1/segments/count", json={"segment": "new"}, headers={"Authorization": f"Bearer {other}"})
    assert (answer.status_code, answer.json()["code"]) == (403, "forbidden")
