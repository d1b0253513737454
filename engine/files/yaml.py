"""The one reader of YAML that people write: safe, strict about keys given twice, and every fault with its place."""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from pathlib import Path

import yaml

from engine.errors import BadDefinition, MissingFile

# Deeper nesting than this is a mistake or an attack.
DEEPEST = 100
MAX_NODES = 1_000_000


class _Loader(yaml.SafeLoader):
    """PyYAML's safe loader: plain data only, never objects."""


class _WordsLoader(yaml.SafeLoader):
    """Reads every scalar as the words written: `on` stays a key and 2024-01-01 stays text."""


_WordsLoader.yaml_implicit_resolvers = {}


def parse_yaml(
    text: str, *, where: str | None = None, words: bool = False, hint: str = "", max_nodes: int = MAX_NODES
) -> object:
    """Return what YAML (or JSON) text holds; None where it is empty.

    `words` keeps every scalar as text. `where` names the file in errors; without it their place is the line, or the
    field's path where a key is given twice. `hint` ends the message of text that is no YAML. At most `max_nodes` names
    and values are read, aliases followed.
    Raises BadDefinition for text that is no YAML, a key given twice, and what is too large or nested without end.
    """
    try:
        loader = (_WordsLoader if words else _Loader)(text)
        try:
            node = loader.get_single_node()
            if node is None:
                return None
            _check(node, where, max_nodes)
            found: object = loader.construct_document(node)
        finally:
            loader.dispose()
    except yaml.MarkedYAMLError as error:
        line = f"line {error.problem_mark.line + 1}" if error.problem_mark else None
        raise _broken(error.problem or "not YAML", line, where, hint) from error
    except yaml.reader.ReaderError as error:
        line = f"line {text.count(chr(10), 0, error.position) + 1}"
        raise _broken(f"{error.reason} (#x{error.character:04x})", line, where, hint) from error
    except RecursionError as error:
        raise _broken("nested too deeply", None, where, hint) from error
    except ValueError as error:  # a date such as 2024-13-45
        raise _broken(str(error), None, where, hint) from error
    return found


def read_yaml(file: Path, *, words: bool = False, hint: str = "") -> object:
    """Return what a YAML file holds; None where it is empty.

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


def _broken(problem: str, line: str | None, where: str | None, hint: str) -> BadDefinition:
    if where is None:
        return BadDefinition(f"broken YAML: {problem}", where=line)
    return BadDefinition(f"is not YAML: {problem}{f' ({line})' if line else ''}{hint}", where=where)


def _check(root: yaml.Node, where: str | None, max_nodes: int) -> None:
    """Refuse a key given twice, which would silently drop the first, and what grows without end through its aliases."""
    left, waiting = max_nodes, [_Nested(root, "", None)]
    while waiting:
        left -= 1
        nested = waiting.pop()
        if nested.holds_itself():
            raise BadDefinition("nested without end", where=_place(nested.path, where))
        if left < 0:
            raise BadDefinition(f"too large; at most {max_nodes:,} names and values", where=where)
        waiting += [_Nested(node, path, nested) for path, node in reversed(list(_children(nested, where)))]


class _Nested:
    """A node, its field path, and the chain of nodes that hold it."""

    def __init__(self, node: yaml.Node, path: str, above: _Nested | None) -> None:
        self.node, self.path, self.above = node, path, above
        self.depth: int = 0 if above is None else above.depth + 1

    def holds_itself(self) -> bool:
        """Say whether a node above is this one, or is deeper than anybody writes."""
        each = self.above if isinstance(self.node, yaml.CollectionNode) else None
        while each is not None and each.node is not self.node:
            each = each.above
        return each is not None or self.depth > DEEPEST


def _children(nested: _Nested, where: str | None) -> Iterator[tuple[str, yaml.Node]]:
    if isinstance(nested.node, yaml.SequenceNode):
        yield from ((f"{nested.path}[{number}]", inner) for number, inner in enumerate(nested.node.value))
    elif isinstance(nested.node, yaml.MappingNode):
        seen: set[Hashable] = set()
        for key, value in nested.node.value:
            name = key.value if isinstance(key, yaml.ScalarNode) else id(key)
            path = f"{nested.path}.{name}" if nested.path else str(name)
            if (key.tag, name) in seen:
                line = key.start_mark.line + 1
                raise BadDefinition(f"{name!r} is given twice (line {line})", where=_place(path, where))
            seen.add((key.tag, name))
            yield path, value


def _place(path: str, where: str | None) -> str | None:
    return f"{where}: {path}" if where and path else where or path or None
