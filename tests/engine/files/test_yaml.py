"""One strict reader of YAML: nothing is lost without a word, and every fault has its place."""

from __future__ import annotations

import ast
from collections.abc import Callable
from pathlib import Path

import pytest

from campaigns.definition.campaign import parse
from engine.customers.config import read_customer_config
from engine.errors import BadDefinition, MissingFile
from engine.files.yaml import parse_yaml, read_yaml, write_yaml
from engine.imports.mapping import read_map
from engine.recommend.options import read_options
from engine.segments.definition import read_segment_tree
from training.learn.settings import read_model_settings

ROOT = Path(__file__).parents[3]
DOUBLED = "lists:\n  repeat_min: 0.1\n  repeat_min: 0.2\n"


def of_home(name: str, read: Callable[[Path], object]) -> Callable[[Path], object]:
    """Return a reader of the file `name` in a home that holds DOUBLED in it."""

    def reader(folder: Path) -> object:
        (folder / name).write_text(DOUBLED, encoding="utf-8")
        return read(folder)

    return reader


READERS: dict[str, Callable[[Path], object]] = {
    "recommend.yaml": of_home("recommend.yaml", read_options),
    "customers.yaml": of_home("customers.yaml", lambda home: read_customer_config(None, home=home)),
    "tuned.yaml": of_home("tuned.yaml", read_model_settings),
    "a map": of_home("map.yaml", lambda folder: read_map(folder / "map.yaml", "orders")),
    "a campaign": lambda _: parse(DOUBLED, currency="USD"),
    "a segment": lambda _: read_segment_tree(DOUBLED),
}


@pytest.mark.parametrize("name", READERS)
def test_every_reader_refuses_a_key_given_twice_with_its_path(name: str, tmp_path: Path) -> None:
    with pytest.raises(BadDefinition, match=r"'repeat_min' is given twice \(line 3\)") as found:
        READERS[name](tmp_path)
    assert str(found.value.where).endswith("lists.repeat_min")


def test_nothing_else_reads_yaml() -> None:
    for path in (
        each for room in ("engine", "training", "campaigns", "api", "cli") for each in (ROOT / room).rglob("*.py")
    ):
        if path == ROOT / "engine" / "files" / "yaml.py":
            continue
        tree = ast.parse(path.read_text(encoding="utf-8"))
        imported = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
        assert "yaml" not in imported, f"{path.relative_to(ROOT)} reads YAML itself"


@pytest.mark.parametrize(
    ("text", "where", "message"),
    [
        ("a: [", "line 1", "broken YAML"),
        ("a:\n  - b: 1\n    b: 2", "a[0].b", "'b' is given twice (line 3)"),
        ("a: &x [*x]", "a[0]", "nested without end"),
        ("a: \x07", "line 1", "broken YAML: special characters are not allowed (#x0007)"),
        ("a: 2024-13-45", None, "broken YAML: month must be in 1..12"),
        ("[" * 100_000, None, "nested too deeply"),
        ("a: !!python/object:os.system {}", "line 1", "broken YAML"),
    ],
)
def test_a_fault_in_a_text_has_its_place(text: str, where: str | None, message: str) -> None:
    with pytest.raises(BadDefinition) as found:
        parse_yaml(text)
    assert found.value.where == where
    assert message in found.value.message


def test_a_fault_in_a_file_names_the_file(tmp_path: Path) -> None:
    with pytest.raises(MissingFile):
        read_yaml(tmp_path / "none.yaml")
    with pytest.raises(BadDefinition, match="is a folder"):
        read_yaml(tmp_path)
    file = tmp_path / "bytes.yaml"
    file.write_bytes(b"a: \xff")
    with pytest.raises(BadDefinition, match="not UTF-8"):
        read_yaml(file)
    file.write_text("a: [", encoding="utf-8")
    with pytest.raises(BadDefinition, match=r"is not YAML: .*line 1"):
        read_yaml(file)


def test_words_stay_words_and_what_is_written_is_read_again() -> None:
    assert parse_yaml("on: 2024-01-01", words=True) == {"on": "2024-01-01"}
    tree = {"b": [1, None, "否"], "a": {"c": 1.5}}
    assert parse_yaml(write_yaml(tree)) == tree
    assert parse_yaml("") is None


def test_a_text_that_its_aliases_make_endless_is_refused() -> None:
    laughs = "a0: &a0 [x, x]\n" + "".join(f"a{i}: &a{i} [*a{i - 1}, *a{i - 1}]\n" for i in range(1, 60))
    with pytest.raises(BadDefinition, match="too large; at most 5,000 names and values"):
        parse_yaml(laughs, max_nodes=5000)
    with pytest.raises(BadDefinition, match="too large; at most 50,000 names and values"):
        read_segment_tree(laughs)


def test_a_number_and_its_text_are_two_keys() -> None:
    assert parse_yaml("1: a\n'1': b") == {1: "a", "1": "b"}
