"""The house's one law, at two levels: imports run downward only, inside functions and for types alone too."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
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
# The rooms of each folder, floor by floor from the ground up: a room imports from itself and from the floors below it.
# A loose file is a room of its own.
FLOORS: Mapping[str, Sequence[set[str]]] = {
    "engine": (
        {"errors", "columns", "charts", "clock", "language"},
        {"settings", "money", "runtime"},
        {"ids", "files"},
        {"artifact", "database"},
        {"events"},
        {"history", "offers"},
        {"imports", "models", "experiments"},
        {"customers", "recommend"},
        {"market", "segments"},
    ),
    "engine/customers": (
        {"columns", "config", "moment", "consents", "duplicates"},
        {"figures"},
        {"behaviour"},
        {"value", "forecast"},
        {"compute"},
        {"table"},
        {"store", "explain"},
        {"profile"},
        {"overview"},
    ),
    "engine/recommend": (
        {"kernels"},
        {"options", "scoring"},
        {"published"},
        {"catalog"},
        {"request"},
        {"rerank"},
        {"explain"},
        {"response"},
        {"home"},
        {"lists", "batch"},
    ),
    "training": (
        {"kernels"},
        {"data"},
        {"metrics"},
        {"learn"},
        {"judge"},
        {"report", "run"},
        {"evaluate_home", "tune"},
    ),
    "campaigns": (
        {"rows", "channels"},
        {"definition"},
        {"rewards"},
        {"eligibility"},
        {"delivery"},
        {"runs"},
        {"results"},
    ),
    "cli": (
        {"app", "output"},
        {"moment", "judged"},
        {"segments", "campaigns", "city", "customers", "demo", "docs", "experiments", "imports", "keys"},
        {"market", "quality", "recommend", "serve", "training", "tune", "worker"},
        {"main"},
    ),
    "api": ({"schemas"}, {"http"}, {"serving"}, {"routes"}, {"app"}, {"process"}),
}
MOST_FILES = 20
FILES = sorted(path for room in MAY_IMPORT for path in (ROOT / room).rglob("*.py"))


def module_of(path: Path) -> str:
    """Return a file's dotted name; a package's is its folder's."""
    name = ".".join(path.relative_to(ROOT).with_suffix("").parts)
    return name.removesuffix(".__init__")


MODULES = {module_of(path): path for path in FILES}


def imported(source: str) -> set[str]:
    """Return every module of the house a source imports, wherever in the file it does so."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            inner = {f"{node.module}.{alias.name}" for alias in node.names}
            names.update(inner & MODULES.keys() or {node.module})
    return {name for name in names if name.split(".")[0] in MAY_IMPORT or name.split(".")[0] in {"benchmarks", "tests"}}


@cache
def arrows() -> Mapping[str, frozenset[str]]:
    """Return what each module of the house imports."""
    return {name: frozenset(imported(path.read_text(encoding="utf-8"))) for name, path in MODULES.items()}


def room_in(folder: str, module: str) -> str | None:
    """Return the room of `folder` a module lies in; None where it lies elsewhere or is the folder itself."""
    inside = folder.replace("/", ".") + "."
    return module.removeprefix(inside).split(".")[0] if module.startswith(inside) else None


def risen(folder: str) -> Iterator[str]:
    """Yield the arrows between rooms of `folder` that do not run downward."""
    floor = {room: number for number, rooms in enumerate(FLOORS[folder]) for room in rooms}
    for module, targets in arrows().items():
        here = room_in(folder, module)
        for target in sorted(targets):
            there = room_in(folder, target)
            if here is not None and there is not None and here != there and floor[there] >= floor[here]:
                yield f"{module} -> {target}"


def circles() -> list[set[str]]:
    """Return the sets of modules that import each other in a circle (Tarjan's components of more than one)."""
    index: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    found: list[set[str]] = []

    def visit(module: str) -> None:
        index[module] = low[module] = len(index)
        stack.append(module)
        for target in arrows()[module] & MODULES.keys():
            if target not in index:
                visit(target)
                low[module] = min(low[module], low[target])
            elif target in stack:
                low[module] = min(low[module], index[target])
        if low[module] == index[module]:
            at = stack.index(module)
            if len(stack) - at > 1:
                found.append(set(stack[at:]))
            del stack[at:]

    for module in MODULES:
        if module not in index:
            visit(module)
    return found


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(ROOT)))
def test_a_room_imports_only_downward(path: Path) -> None:
    room = path.relative_to(ROOT).parts[0]
    rooms = {name.split(".")[0] for name in imported(path.read_text(encoding="utf-8"))}
    forbidden = rooms - MAY_IMPORT[room] - {room}
    assert not forbidden, f"{path.relative_to(ROOT)} may not import {sorted(forbidden)}"


@pytest.mark.parametrize("folder", FLOORS)
def test_the_rooms_inside_a_room_import_only_downward(folder: str) -> None:
    assert list(risen(folder)) == []


def test_no_modules_import_each_other_in_a_circle() -> None:
    assert circles() == []


def test_compiled_loops_stand_in_the_rooms_for_speed() -> None:
    # A lookup of ids is a loop that the format is made for, and stands beside it.
    elsewhere = [
        module
        for module, path in MODULES.items()
        if "kernels" not in module.split(".")
        and not module.startswith("engine.runtime")
        and module != "engine.ids"
        and re.search(r"^@(compiled|numba)", path.read_text(encoding="utf-8"), re.MULTILINE)
    ]
    assert elsewhere == []


@pytest.mark.parametrize("folder", FLOORS)
def test_every_room_stands_on_one_floor(folder: str) -> None:
    there = {room for name in MODULES if (room := room_in(folder, name)) is not None}
    floors = [room for rooms in FLOORS[folder] for room in rooms]
    assert sorted(floors) == sorted(there)


def test_a_folder_holds_at_most_twenty_files() -> None:
    for folder in {path.parent for path in FILES}:
        files = [path for path in folder.glob("*.py") if path.name != "__init__.py"]
        assert len(files) <= MOST_FILES, f"{folder.relative_to(ROOT)} holds {len(files)} files"


def test_every_room_says_which_question_it_answers() -> None:
    for path in FILES:
        if path.name == "__init__.py" and "migrations" not in path.parts:
            said = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8")))
            assert "?" in (said or ""), f"{path.relative_to(ROOT)} asks no question"


def test_the_house_is_drawn_as_it_stands() -> None:
    drawing = (ROOT / "docs" / "house.md").read_text(encoding="utf-8")
    drawn = set(re.findall(r"^ *([a-z_]+/)", drawing, flags=re.MULTILINE))
    for folder in FLOORS:
        for path in sorted((ROOT / folder).glob("*/__init__.py")):
            assert f"{path.parent.name}/" in drawn, f"docs/house.md does not draw {path.parent.relative_to(ROOT)}"


def test_the_law_sees_imports_hidden_inside_functions() -> None:
    assert imported("def f():\n    from api.app import build\n") == {"api.app"}


def test_the_law_sees_imports_for_types_alone() -> None:
    assert imported("if TYPE_CHECKING:\n    from engine.ids import IdMap\n") == {"engine.ids"}


def test_every_python_room_is_under_the_law() -> None:
    rooms = {p.parent.name for p in ROOT.glob("*/__init__.py")} - {"tests", "benchmarks"}
    assert rooms == MAY_IMPORT.keys()
