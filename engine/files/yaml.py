"""The one reader of YAML that people write: safe, strict about keys given twice, and every fault with its place."""

from __future__ import annotations

from collections.abc import Hashable
from pathlib import Path

import yaml

from engine.errors import BadDefinition, MissingFile

# Deeper nesting than this is a mistake or an attack.
DEEPEST = 100


class _Loader(yaml.SafeLoader):
    """PyYAML's safe loader: plain data only, never objects."""


class _WordsLoader(yaml.SafeLoader):
    """Reads every scalar as the words written: `on` stays a key and 2024-01-01 stays text."""


_WordsLoader.yaml_implicit_resolvers = {}


def parse_yaml(text: str, *, where: str | None = None, words: bool = False, hint: str = "") -> object:
    """Return what YAML (or JSON) text says; None where it is empty.

    `words` keeps every scalar as text. `where` names the file in errors; without it their place is the line, or the
    field's path where a key is given twice. `hint` ends the message of text that is no YAML.
    Raises BadDefinition for text that is no YAML, a key given twice, and nesting without end.
    """
    loader = (_WordsLoader if words else _Loader)(text)
    try:
        node = loader.get_single_node()
        if node is None:
            return None
        _refuse_doubled(node, "", where, ())
        found: object = loader.construct_document(node)
        return found
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        problem = getattr(error, "problem", None) or "not YAML"
        line = f"line {mark.line + 1}" if mark else None
        if where is None:
            raise BadDefinition(f"broken YAML: {problem}", where=line) from error
        raise BadDefinition(f"is not YAML: {problem}{f' ({line})' if line else ''}{hint}", where=where) from error
    except (RecursionError, ValueError) as error:
        raise BadDefinition(f"broken YAML: {error}", where=where) from error
    finally:
        loader.dispose()


def read_yaml(file: Path, *, words: bool = False, hint: str = "") -> object:
    """Return what a YAML file says; None where it is empty.

    Raises MissingFile where there is none, BadDefinition naming the file where it cannot be read.
    """
    try:
        text = file.read_text(encoding="utf-8-sig")
    except FileNotFoundError as error:
        raise MissingFile("no such file; check the path", where=str(file)) from error
    except IsADirectoryError as error:
        raise BadDefinition("is a folder; name a YAML file", where=str(file)) from error
    except UnicodeDecodeError as error:
        raise BadDefinition(f"is not YAML: not UTF-8 text{hint}", where=str(file)) from error
    except OSError as error:
        raise BadDefinition(f"cannot be read ({error.strerror or error})", where=str(file)) from error
    return parse_yaml(text, where=str(file), words=words, hint=hint)


def write_yaml(tree: object) -> str:
    """Return plain data as YAML text, keys in their order, other scripts as they are."""
    return str(yaml.safe_dump(tree, allow_unicode=True, sort_keys=False))


def _refuse_doubled(node: yaml.Node, path: str, where: str | None, above: tuple[int, ...]) -> None:
    """Refuse a key given twice, which would silently drop the first, and a node that holds itself."""
    if id(node) in above or len(above) > DEEPEST:
        raise BadDefinition("nested without end", where=_place(path, where))
    above = (*above, id(node))
    if isinstance(node, yaml.SequenceNode):
        for number, inner in enumerate(node.value):
            _refuse_doubled(inner, f"{path}[{number}]", where, above)
    elif isinstance(node, yaml.MappingNode):
        seen: set[Hashable] = set()
        for key, value in node.value:
            name = key.value if isinstance(key, yaml.ScalarNode) else id(key)
            inner_path = f"{path}.{name}" if path else str(name)
            if name in seen:
                line = key.start_mark.line + 1
                raise BadDefinition(f"{name!r} is given twice (line {line})", where=_place(inner_path, where))
            seen.add(name)
            _refuse_doubled(value, inner_path, where, above)


def _place(path: str, where: str | None) -> str | None:
    return f"{where}: {path}" if where and path else where or path or None
