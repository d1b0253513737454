"""The OpenAPI document says what is answered, and nothing else."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from pydantic import TypeAdapter

from api.schemas import responses as answers
from tests.api.conftest import App
from tests.api.routes.test_lists import ROUTES

ORDER = {
    "event_id": "e1",
    "type": "order",
    "customer_id": "c001",
    "properties": {"order_id": "o1", "items": [{"item_id": "d01"}]},
}
RULE = {"any": [{"orders": {"at_least": 2}}, {"segment": "dormant"}]}
ASKED: dict[str, Any] = {
    **{f"post /v1/recommend/{name}": body for name, body in ROUTES.items()},
    "post /v1/recommend/coupons": {"customer_id": "c001", "basket_cents": 100},
    "post /v1/events": {"events": [ORDER]},
    "get /v1/customers/c001": None,
    "get /v1/segments": None,
    "get /v1/segments/schema": None,
    "put /v1/segments/mine": {"definition": RULE},
    "get /v1/segments/mine": None,
    "post /v1/segments/count": {"segment": RULE},
    "post /v1/segments/preview": {"segment": RULE},
    "post /v1/segments/explain": {"segment": RULE, "customer_id": "c001"},
    "get /health/live": None,
    "get /health/ready": None,
}
PATTERNS = {"/v1/customers/c001": "/v1/customers/{customer_id}", "/v1/segments/mine": "/v1/segments/{name}"}


@pytest.fixture(scope="module")
def document(standing: App) -> dict[str, Any]:
    return standing.client.get("/openapi.json").json()


def operations(document: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    return [(f"{way} {path}", each) for path, ways in document["paths"].items() for way, each in ways.items()]


def shape_named(reference: dict[str, str]) -> type[Any]:
    return getattr(answers, reference["$ref"].rpartition("/")[2])


def test_every_reference_leads_somewhere_and_the_frameworks_own_errors_are_gone(document: dict[str, Any]) -> None:
    def references(value: Any) -> Iterator[str]:
        if isinstance(value, dict):
            yield from ([value["$ref"]] if isinstance(value.get("$ref"), str) else [])
            for inner in value.values():
                yield from references(inner)
        elif isinstance(value, list):
            for inner in value:
                yield from references(inner)

    found = set(references(document))
    assert found
    named = {f"#/components/schemas/{name}" for name in document["components"]["schemas"]}
    assert found <= named
    assert not any("HTTPValidationError" in each for each in named)


def test_every_refusal_of_every_route_is_a_problem(document: dict[str, Any]) -> None:
    for name, operation in operations(document):
        refusals = {int(status) for status in operation["responses"] if int(status) >= 400}
        if "/health/" in name:
            assert refusals <= {503}
            continue
        assert {401, 403, 500, 503} <= refusals, name
        assert ({413, 422} <= refusals) == ("requestBody" in operation), name
        assert 422 in refusals or "parameters" not in operation, name
        for status in refusals:
            (media,) = operation["responses"][str(status)]["content"].items()
            problem = {"schema": {"$ref": "#/components/schemas/Problem"}}
            assert media == ("application/problem+json", problem), (name, status)


def test_every_answer_has_a_shape(document: dict[str, Any]) -> None:
    for name, operation in operations(document):
        for status, response in operation["responses"].items():
            if int(status) < 400 and name != "get /metrics":
                assert response["content"]["application/json"]["schema"]["$ref"], name


@pytest.mark.parametrize("asked", ASKED)
@pytest.mark.parametrize("explain", [False, True])
def test_what_is_answered_has_the_shape_it_is_said_to_have(
    standing: App, document: dict[str, Any], asked: str, explain: bool
) -> None:
    way, path = asked.split()
    body = ASKED[asked]
    more = {"explain": True} if explain and path.rpartition("/")[2] in ROUTES else {}
    answer = standing.client.request(way, path, json=None if body is None else body | more)
    assert answer.is_success, answer.text
    told = document["paths"][PATTERNS.get(path, path)][way]["responses"][str(answer.status_code)]
    shape = shape_named(told["content"]["application/json"]["schema"])
    assert TypeAdapter(shape).validate_json(answer.content) == answer.json()


@pytest.mark.parametrize(
    ("way", "path", "body", "status"),
    [
        ("post", "/v1/recommend/similar", {"item_id": "nothing"}, 404),
        ("post", "/v1/recommend/for-segment", {"segment": "nothing"}, 404),
        ("get", "/v1/customers/nobody", None, 404),
        ("get", "/v1/segments/nothing", None, 404),
        ("put", "/v1/segments/dormant", {"definition": RULE}, 409),
        ("post", "/v1/segments/explain", {"segment": RULE, "customer_id": "nobody"}, 404),
        ("post", "/v1/segments/count", {"segment": 5}, 422),
        ("post", "/v1/recommend/dishes", {"limit": 0, "explain": 1}, 422),
    ],
)
def test_a_refusal_is_declared_and_has_the_shape_of_a_problem(
    standing: App, document: dict[str, Any], way: str, path: str, body: dict[str, Any] | None, status: int
) -> None:
    answer = standing.client.request(way, path, json=body)
    assert answer.status_code == status
    pattern = path if path in document["paths"] else path.rpartition("/")[0]
    (declared,) = [each for each in document["paths"] if each == path or each.startswith(f"{pattern}/{{")]
    assert str(status) in document["paths"][declared][way]["responses"]
    assert TypeAdapter(answers.Problem).validate_json(answer.content) == answer.json()


def test_every_example_of_an_answer_fits_its_shape(document: dict[str, Any]) -> None:
    for name, operation in operations(document):
        for status, response in operation["responses"].items():
            told = response["content"].get("application/json", {})
            if int(status) < 400 and told:
                shape = shape_named(told["schema"])
                assert TypeAdapter(shape).validate_python(told["example"]) == told["example"], name
