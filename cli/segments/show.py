"""How explanations and counts of segments look in a terminal."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import TYPE_CHECKING

from cli.output import out, print_json

if TYPE_CHECKING:
    from engine.segments.explain import ExplainedRule


MOST_IDS = 20


def explanation_lines(node: ExplainedRule, depth: int) -> Iterator[str]:
    mark = "yes" if node.matched else "no "
    about = f" ({node.about})" if node.about else ""
    if node.field is None:
        shown = f"{node.kind}{about}"
    else:
        value = "unknown" if node.value is None else node.value
        what = node.field if node.kind == "clause" else f"{node.kind} {node.field}"
        shown = f"{what}{about} {node.operator} {node.expected}: it is {value}"
    yield f"{'  ' * depth}{mark}  {shown}"
    for each in node.inner:
        yield from explanation_lines(each, depth + 1)


def some_ids(ids: list[str]) -> str:
    return ", ".join(ids[:MOST_IDS]) + (" ..." if len(ids) > MOST_IDS else "") if ids else "nobody"


def print_outcome(facts: Mapping[str, object], sentence: str, *, json: bool) -> None:
    if json:
        print_json(facts)
    else:
        out.print(sentence, markup=False)


def instant_text(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M} UTC"
