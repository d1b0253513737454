"""How explanations and counts of segments look in a terminal."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import TYPE_CHECKING

from rich.markup import escape

from cli.output import out, print_facts, print_table
from engine.clock import minute_text

if TYPE_CHECKING:
    from engine.segments.explain import ExplainedRule
    from engine.segments.preview import MembershipChange, SegmentPreview


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


def print_preview(target: str, found: SegmentPreview, zone: str) -> None:
    out.print(f"{found.customers:,} customers in {target} as of {minute_text(found.as_of, zone)}", markup=False)
    print_table(
        "Reach",
        ["channel", "has an address", "has not refused", "agreed"],
        [[name, each.address, each.not_refused, each.agreed] for name, each in found.reach.items()],
    )
    print_table(
        "Some of them",
        ["customer", "language", "zone", "birthday", "registered"],
        [[escape(str(value)) if value is not None else None for value in row.values()] for row in found.sample],
        whole=["customer"],
    )


def print_change(target: str, found: MembershipChange, since: datetime, until: datetime, zone: str) -> None:
    print_facts(
        target,
        {
            f"in it on {minute_text(since, zone)}": found.before,
            f"in it on {minute_text(until, zone)}": found.after,
            "came": f"{len(found.came):,} ({some_ids(found.came)})",
            "left": f"{len(found.left):,} ({some_ids(found.left)})",
        },
    )
