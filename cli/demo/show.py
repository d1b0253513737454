"""What the demo looks like in a terminal of 80 to 100 columns: each step's figures as panels and tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from itertools import zip_longest
from typing import Any
from zoneinfo import ZoneInfo

import polars as pl
from rich import box
from rich.columns import Columns
from rich.console import Console, Group, RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from cli.output import err, out
from demo.world import TIMEZONE
from engine.money import money_text

Figures = Mapping[str, Any]
WIDTH = 100
QUALITY = {
    "ndcg": "ndcg",
    "recall": "recall",
    "hit": "hit",
    "repeat": "repeat_recall",
    "explore": "explore_recall",
    "coverage": "coverage",
}
WHO = {"loyal": "a loyal regular", "regular": "orders in Chinese", "stranger": "never seen before"}


def console() -> Console:
    """Return stdout's console, at most 100 columns wide."""
    width = min(out.width, WIDTH) if out.is_terminal else WIDTH
    return Console(width=width, highlight=False)


class Show:
    """Prints each step's figures; `items` and `vendors` are the imported tables, for names and prices."""

    def __init__(self, items: pl.DataFrame, vendors: pl.DataFrame, currency: str) -> None:
        self._console = console()
        self._currency = currency
        self._items = {row["item_id"]: row for row in items.iter_rows(named=True)}
        self._vendors = {row["vendor_id"]: row for row in vendors.iter_rows(named=True)}

    def city(self, city: Figures, imported: Figures) -> None:
        """Show what was built and that every row of it was accounted for."""
        table = _table("", "rows read", "accepted", "quarantined", "duplicates")
        for kind, counts in imported.items():
            table.add_row(kind, *(f"{counts[n]:,}" for n in ("read", "accepted", "quarantined", "duplicates")))
        rows = city["rows"]
        says = (
            f"{rows['customers']:,} customers, {rows['vendors']:,} vendors, {rows['items']:,} dishes, "
            f"{rows['orders']:,} orders from {_day(city['history_from'])} to {_day(city['history_until'])} (today)"
        )
        self._console.print(Panel(Group(Text(says), Text(), table), title="The city", **PANEL))

    def guests(self, answers: Sequence[Figures]) -> None:
        """Show each customer's dishes and coupons with their reasons."""
        for found in answers:
            chinese = found["language"] == "zh"
            table = _table("", "dish", "from", "price", "why", right=("price",))
            for place, dish in enumerate(found["dishes"], 1):
                table.add_row(str(place), dish["name"], *self._about(dish["item_id"], chinese), _why(dish))
            parts: list[RenderableType] = [table]
            if found["coupons"] or found["not_yet"]:
                parts += [Text(), self._coupons(found)]
            if found["notes"]:
                parts += [Text(), Text(f"the service notes: {', '.join(found['notes'])}", style="dim")]
            who = Text.assemble((found["name"] or found["customer_id"], "bold"), f"  {WHO[found['part']]}")
            who.append(f", {found['orders']:,} orders" if found["orders"] else "")
            at = datetime.fromisoformat(found["at"]).astimezone(ZoneInfo(TIMEZONE))
            place_and_time = f"for {at:%A %H:%M}, {found['zone']}"
            self._console.print(Panel(Group(*parts), title=who, subtitle=place_and_time, **PANEL))

    def event(self, found: Figures) -> None:
        """Show the answer before and after one order."""
        table = _table("", "before", "after", "why now")
        known = {dish["item_id"] for dish in found["before"]}
        for place, (old, new) in enumerate(zip_longest(found["before"], found["after"]), 1):
            style = "green" if new and new["item_id"] not in known else ""
            cells = (Text(new["name"], style=style), new["reason"]["text"]) if new else ("", "")
            table.add_row(str(place), Text(old["name"], style="dim") if old else "", *cells)
        says = Text.assemble("One order of ", (found["dish"]["name"], "bold"), " told to /v1/events: in the very next ")
        says.append(f"answer it stands at {found['rank_after']} instead of {found['rank_before']}, and ")
        says.append(f"{_count(found['new'])} of the first {len(found['after'])} are new.")
        self._console.print(Panel(Group(says, Text(), table), title="An order changes the next answer", **PANEL))

    def winback(self, found: Figures, coupon: Figures | None) -> None:
        """Show whom the win-back reached, whom it left alone, and two messages."""
        held = found["held_out"]
        table = _table("", "customers", right=("customers",))
        table.add_row("dormant for 30 days or more, with orders worth winning back", f"{found['audience']:,}")
        for reason, n in found["excluded"].items():
            table.add_row(f"left out: {reason.replace('_', ' ')}", f"{n:,}")
        table.add_row("held out to compare with, in all campaigns", f"{held['global']:,}")
        table.add_row("held out to compare with, in this one", f"{held['campaign']:,}")
        table.add_row("treated: each with their own coupon", f"{found['treated']:,}")
        table.add_row(Text("sent", style="bold"), Text(f"{found['sent']:,}", style="bold"))
        ceiling = found["cost_ceiling_cents"]
        parts: list[RenderableType] = [table]
        if ceiling is not None:
            most = money_text(ceiling, found["currency"])
            parts += [Text(), Text(f"{found['offer']}: costs at most {most}, if everybody uses it", style="dim")]
        messages = [
            Panel(
                Text(f"{each['title']}\n\n{each['body']}"),
                title=f"to {each['customer_id']}, {each['language']}",
                **INNER,
            )
            for each in found["examples"]
        ]
        parts += [Text(), Columns(messages, expand=True, equal=True)] if messages else []
        if coupon and coupon["held"]:
            name = coupon["held"][0]["name"]
            says = f"{coupon['customer_id']} opens the app, and it is there: {name}, code {coupon['code']}"
            parts += [Text(), Text(says)]
        self._console.print(Panel(Group(*parts), title=f"{found['name']} (sent to a file, to nobody real)", **PANEL))

    def quality(self, trained: Figures) -> None:
        """Show the table of model quality, best first; the served one is marked."""
        found = trained["evaluation"]
        if found is None:
            says = "Too few customers ordered lately to judge by; choose more --customers."
            self._console.print(Panel(says, title="Model quality", **PANEL))
            return
        k = found["k"]
        table = _table("model", *QUALITY, f"± on ndcg@{k}", right=(*QUALITY, f"± on ndcg@{k}"))
        for name in sorted(found["models"], key=lambda each: -found["models"][each][f"ndcg@{k}"]):
            figures, between = found["models"][name], found["intervals"][name][f"ndcg@{k}"]
            cells = [f"{figures[f'{metric}@{k}']:.3f}" for metric in QUALITY.values()]
            cells.append(f"{(between[1] - between[0]) / 2:.3f}" if between else "-")
            served = name == found["served"]
            table.add_row(f"{name}, served" if served else name, *cells, style="bold" if served else "")
        says = (
            f"Judged on {found['customers']:,} customers and what they ordered in the last four weeks, which no judged "
            f"model saw. All figures at {k}; repeat and explore are recall of dishes ordered before, and of new ones."
        )
        self._console.print(Panel(Group(Text(says), Text(), table), title="Model quality", **PANEL))

    def _about(self, item_id: str, chinese: bool) -> tuple[str, str]:
        item = self._items[item_id]
        vendor = self._vendors.get(item["vendor_id"], {})
        name = vendor.get("name_zh" if chinese else "name") or ""
        return name, money_text(item["price_cents"], self._currency)

    def _coupons(self, found: Figures) -> RenderableType:
        cart = found["basket_cents"]
        heading = (
            "coupon" if cart is None else f"coupon, with the first two in the cart ({money_text(cart, self._currency)})"
        )
        table = _table(heading, "why")
        for coupon in found["coupons"]:
            table.add_row(coupon["name"], coupon["reason"]["text"])
        for coupon in found["not_yet"]:
            table.add_row(Text(coupon["name"], style="dim"), Text(f"not yet: {coupon['reason']['text']}", style="dim"))
        return table


PANEL: dict[str, Any] = {
    "box": box.ROUNDED,
    "border_style": "cyan",
    "title_align": "left",
    "padding": (1, 2),
    "subtitle_align": "right",
}
INNER: dict[str, Any] = {"box": box.ROUNDED, "border_style": "dim", "title_align": "left"}


def print_docs(address: str, key: str, *, to_stderr: bool) -> None:
    """Say how to look around while the server stays up; the key goes to stderr where stdout is for JSON."""
    says = Text.assemble(
        ("API docs   ", "dim"), (f"{address}/docs\n", "bold"),
        ("user       ", "dim"), "anything\n",
        ("password   ", "dim"), (f"{key}\n", "bold"),
        ("stop       ", "dim"), "Ctrl-C",
    )  # fmt: skip
    (err if to_stderr else console()).print(Panel(says, title="Yours to try", **PANEL))


def _table(*columns: str, right: Sequence[str] = ("rows read", "accepted", "quarantined", "duplicates")) -> Table:
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, header_style="dim", padding=(0, 1))
    for name in columns:
        table.add_column(name, justify="right" if name in right else "left")
    return table


def _count(n: int) -> str:
    return "none" if n == 0 else f"{n:,}"


def _why(dish: Figures) -> Text:
    return Text.assemble(dish["reason"]["text"], (f"  [{dish['source']}]", "dim"))


def _day(text: str) -> str:
    return f"{datetime.fromisoformat(text).astimezone(ZoneInfo(TIMEZONE)):%-d %B %Y}"
