"""The OpenAPI document: what every route answers and refuses, made from `api.schemas.responses`."""

from __future__ import annotations

from collections.abc import Iterable
from http import HTTPStatus
from typing import Any, Literal

from fastapi.routing import APIRoute
from pydantic import TypeAdapter
from starlette.routing import BaseRoute

from api.schemas.responses import MEDIA_TYPE, PARTS, SHAPES, Problem

REFUSALS = {
    401: "No API key, or one we do not know.",
    403: "The key lacks the scope.",
    404: "What is named is not there.",
    409: "The state forbids it.",
    413: "The body is larger than 4 MiB.",
    422: "A field is wrong; `field` is its path, and `errors` lists all that are.",
    500: "A fault of the service; its log says more under `request_id`.",
    503: "Nothing has been trained yet, or the database does not answer; nothing was stored.",
}
# What every route with a key may answer, and what one with a body or a name in its path may answer besides.
KEYED = (401, 403, 500, 503)
WITH_BODY = (413, 422)
WITH_PATH = (422,)
FRAMEWORKS_OWN = ("HTTPValidationError", "ValidationError")


def answers(shape: type, example: dict[str, Any], *refusals: int, status: int = 200) -> dict[int | str, dict[str, Any]]:
    """Return the OpenAPI description of a route's answer and of the `refusals` that are its own, by status."""
    content = {"application/json": {"schema": _named(shape), "example": example}}
    return {status: {"content": content}, **{each: _refusal(each) for each in refusals}}


def with_shapes(document: dict[str, Any], routes: Iterable[BaseRoute]) -> dict[str, Any]:
    """Return the OpenAPI document of `routes` with their shapes, how a key is sent and what every route may refuse."""
    adapters: list[tuple[str, Literal["serialization"], TypeAdapter[Any]]] = [
        (shape.__name__, "serialization", TypeAdapter(shape)) for shape in SHAPES
    ]
    _, shapes = TypeAdapter.json_schemas(adapters, ref_template=f"{PARTS}{{model}}")
    parts = document.setdefault("components", {})
    schemas = {name: found for name, found in parts.get("schemas", {}).items() if name not in FRAMEWORKS_OWN}
    parts["schemas"] = schemas | shapes["$defs"]
    parts["securitySchemes"] = {"key": {"type": "http", "scheme": "bearer"}}
    for path, ways in document["paths"].items():
        for way in ways.values():
            keyed, body = not path.startswith("/health/"), "requestBody" in way
            way["security"] = [{"key": []}] if keyed else []
            way["responses"].pop("422", None)
            refusals = (KEYED if keyed else ()) + (WITH_BODY if body else WITH_PATH if "parameters" in way else ())
            for status in refusals:
                way["responses"].setdefault(str(status), _refusal(status))
    # The framework takes what is null out of a document, out of examples too.
    for route in routes:
        if isinstance(route, APIRoute):
            for way in (document["paths"][route.path_format][method.lower()] for method in route.methods or ()):
                for answered, told in route.responses.items():
                    if int(answered) < HTTPStatus.BAD_REQUEST:
                        way["responses"][str(answered)]["content"] = told["content"]
    return document


def _refusal(status: int) -> dict[str, Any]:
    return {"description": REFUSALS[status], "content": {MEDIA_TYPE: {"schema": _named(Problem)}}}


def _named(shape: type) -> dict[str, str]:
    return {"$ref": f"{PARTS}{shape.__name__}"}
