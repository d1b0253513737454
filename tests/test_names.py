"""One name for one thing: no two public classes or functions share one, but for JSON shapes and what runs as a file.

Routes and commands are called after what they are to the public, which both may offer.
"""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).parent.parent
ROOMS = ("engine", "training", "campaigns", "api", "cli", "demo")
# Names of the OpenAPI document, which are public: each is the JSON shape of the class that it is called after.
SHAPES = {"Clause", "Dish", "Reason", "Vendor"}
LIBRARIES = ("engine", "training", "campaigns", "demo")
# Called by name from outside: by the interpreter, and by Alembic.
ENTRIES = {"main", "upgrade", "downgrade"}
Named = ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef


def defined(rooms: Sequence[str], kinds: type[Named] | tuple[type[Named], ...]) -> dict[str, list[str]]:
    """Return, by public name, the files that define it at their top level, where they are several."""
    places: dict[str, list[str]] = defaultdict(list)
    for path in (each for room in rooms for each in sorted((ROOT / room).rglob("*.py"))):
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(node, kinds) and not node.name.startswith("_"):
                places[node.name].append(str(path.relative_to(ROOT)))
    return {name: found for name, found in places.items() if len(found) > 1}


def test_no_two_public_classes_share_a_name() -> None:
    doubled = defined(ROOMS, ast.ClassDef)
    assert set(doubled) <= SHAPES, doubled
    for name, found in doubled.items():
        assert "api/schemas/responses.py" in found, f"{name} stands in {found}"
        assert len(found) == 2


def test_no_two_public_functions_share_a_name() -> None:
    assert defined(LIBRARIES, (ast.FunctionDef, ast.AsyncFunctionDef)).keys() <= ENTRIES
