"""The house's one law: imports run downward only, inside functions too."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
MAY_IMPORT: dict[str, set[str]] = {
    "engine": set(),
    "training": {"engine"},
    "campaigns": {"engine"},
    "demo": {"engine"},
    "api": {"engine", "campaigns"},
    "cli": {"engine", "training", "campaigns", "api", "demo"},
}
FILES = sorted(path for room in MAY_IMPORT for path in (ROOT / room).rglob("*.py"))


def imported_rooms(source: str) -> set[str]:
    """Return the top-level names a file imports, wherever in the file it does so."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names.update(alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            names.add(node.module.split(".")[0])
    return names & (MAY_IMPORT.keys() | {"benchmarks", "tests"})


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(ROOT)))
def test_a_room_imports_only_downward(path: Path) -> None:
    room = path.relative_to(ROOT).parts[0]
    forbidden = imported_rooms(path.read_text(encoding="utf-8")) - MAY_IMPORT[room] - {room}
    assert not forbidden, f"{path.relative_to(ROOT)} may not import {sorted(forbidden)}"


def test_the_law_sees_imports_hidden_inside_functions() -> None:
    assert imported_rooms("def f():\n    from api.app import build\n") == {"api"}


def test_every_python_room_is_under_the_law() -> None:
    rooms = {p.parent.name for p in ROOT.glob("*/__init__.py")} - {"tests", "benchmarks"}
    assert rooms == MAY_IMPORT.keys()
