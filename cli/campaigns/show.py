"""How plans and reports of campaigns look in a terminal."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from rich.markup import escape

from campaigns.results import report as reports
from campaigns.runs.plan import CampaignPlan
from cli.output import err, print_facts, print_table
from engine.clock import day_text, minute_text
from engine.experiments.statistics import Difference, NotEnoughData
from engine.money import money_text


def show_plan(made: CampaignPlan, zone: str) -> None:
    for warning in made.warnings:
        err.print(f"warning: {warning}", markup=False)
    ceiling = made.cost_ceiling_cents
    print_facts(
        f"{escape(made.name)} ({made.campaign}) as of {minute_text(made.as_of, zone)}; nothing was sent",
        {
            "in the segment": made.audience,
            "left out": _reasons(made.excluded),
            "eligible": made.eligible,
            "to be sent to": made.treated,
            "left alone to compare": f"{made.held_out['global']} global, {made.held_out['campaign']} campaign",
            "offer": made.offer,
            "cost at most": "unbounded: the offer has no cap"
            if ceiling is None
            else money_text(ceiling, made.currency),
            "channel": made.channel,
            "plan hash": made.plan_hash,
        },
    )
    print_table(
        "What they would read",
        ["customer", "language", "title", "body"],
        ([escape(m.customer_id), m.language, escape(m.title or "-"), escape(m.body)] for m in made.messages),
        whole=["customer"],
    )


def show_report(campaign_id: str, run: reports.RunReport, zone: str) -> None:
    since, until = day_text(run.decided_at, zone), day_text(run.window_ends_at, zone)
    print_table(
        f"{campaign_id}, run {run.run_id}: orders from {since} to {until}"
        + (" (still open)" if run.window_open else ""),
        ["arm", "customers", "orders", "revenue", "orders each", "revenue each"],
        (
            [
                arm,
                each.customers,
                each.orders,
                money_text(each.revenue_cents, run.currency),
                each.orders_per_customer,
                None
                if each.revenue_per_customer_cents is None
                else money_text(round(each.revenue_per_customer_cents), run.currency),
            ]
            for arm, each in run.arms.items()
        ),
    )
    ratio = run.sample_ratio
    print_facts(
        "Earned, per treated customer, against the campaign's own holdout",
        {
            "incremental orders": _difference(run.incremental_orders, lambda x: f"{x:+.3f}"),
            "incremental revenue": _difference(
                run.incremental_revenue_cents, lambda x: money_text(round(x), run.currency)
            ),
            "coupons used": run.coupons_used,
            "coupon cost": money_text(run.coupon_cost_cents, run.currency),
            "messages": _reasons(run.messages),
            "not sent because": _reasons(run.reasons),
            "sample ratio": "nothing to check"
            if ratio is None
            else f"p = {ratio.p_value:.4f}"
            + (" ALARM: the arms are not as drawn; trust no figure" if ratio.alarm else ""),
        },
    )


def _difference(found: Difference | NotEnoughData, shown: Callable[[float], str]) -> str:
    if isinstance(found, NotEnoughData):
        return found.reason
    return f"{shown(found.estimate)} (95 % interval {shown(found.low)} to {shown(found.high)})"


def _reasons(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{n:,} {name}" for name, n in counts.items()) or "none"
