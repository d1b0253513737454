"""One name for one thing: no two public classes share a name, but for JSON shapes called after what they show."""

from __future__ import annotations

import ast
from collections import defaultdict
from pathlib import Path

ROOT = Path(__file__).parent.parent
ROOMS = ("engine", "training", "campaigns", "api", "cli", "demo")
# Names of the OpenAPI document, which are public: each is the JSON shape of the class that it is called after.
SHAPES = {"Clause", "Dish", "Reason", "Vendor"}


def test_no_two_public_classes_share_a_name() -> None:
    places: dict[str, list[str]] = defaultdict(list)
    for path in (each for room in ROOMS for each in sorted((ROOT / room).rglob("*.py"))):
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                places[node.name].append(str(path.relative_to(ROOT)))
    doubled = {name: found for name, found in places.items() if len(found) > 1}
    assert set(doubled) <= SHAPES, doubled
    for name, found in doubled.items():
        assert "api/schemas/responses.py" in found, f"{name} stands in {found}"
        assert len(found) == 2
