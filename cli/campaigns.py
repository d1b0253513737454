"""`regulars campaigns`: check, plan, launch and follow what marketers define."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Annotated

import typer
from rich.markup import escape
from sqlalchemy.orm import Session

from campaigns.channels.registry import require_channel
from campaigns.definition.find import campaign_id_of, find_definition, load_definition, ready_names
from campaigns.results import report as reports
from campaigns.runs import status as states
from campaigns.runs.data import read_data
from campaigns.runs.launch import launch as launch_plan
from campaigns.runs.plan import CampaignPlan, make_plan
from cli.app import app
from cli.output import HomeOption, JsonOption, actor, err, out, print_facts, print_json, print_table, settings_for
from engine.database.session import connect, transaction
from engine.errors import InputError
from engine.experiments.statistics import Difference, NotEnoughData
from engine.history.compaction import compact_inbox
from engine.history.opening import open_history
from engine.history.tables import read_table
from engine.money import money_text
from engine.segments.library import segment_lookup
from engine.settings import Settings

campaigns = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode="rich",
    help="Check, plan, launch and follow campaigns, and see what they earned.",
)
app.add_typer(campaigns, name="campaigns")

Target = Annotated[
    str, typer.Argument(help="A YAML file, the name of a ready definition, or the id of a campaign planned before.")
]
Known = Annotated[str, typer.Argument(help="A campaign's id, or the YAML file (or ready name) that defines it.")]
AtOption = Annotated[
    str | None,
    typer.Option("--at", help="Read the data as of this instant, such as 2026-03-01T00:00:00Z; default now."),
]


@campaigns.command()
def validate(target: Target, home: HomeOption = None, json: JsonOption = False) -> None:
    """Check a definition to its last field, templates and offer included; nothing is stored.

    Example: [bold]regulars campaigns validate dormant_winback[/bold]
    """
    settings = settings_for(home)
    with _session(settings) as session:
        definition = load_definition(target, currency=settings.currency, lookup=segment_lookup(session))
    if definition.offer is not None:
        definition.offer.resolve(read_table(settings, "offers"), currency=settings.currency)
    facts = {
        "campaign": definition.id,
        "name": definition.name,
        "valid": True,
        "channel": definition.channel,
        "languages": sorted(definition.messages),
        "holdout": definition.holdout,
        "definition_hash": definition.hash,
    }
    if json:
        print_json(facts)
    else:
        print_facts(f"{definition.id} is valid", {**facts, "languages": ", ".join(sorted(definition.messages))})


@campaigns.command()
def plan(target: Target, at: AtOption = None, home: HomeOption = None, json: JsonOption = False) -> None:
    """Show what a launch would do: audience, who is left out and why, cost ceiling, twenty messages. Sends nothing.

    Example: [bold]regulars campaigns plan dormant_winback[/bold]
    """
    settings = settings_for(home)
    as_of = _instant(at)
    with _session(settings, fresh=True) as session:
        definition = find_definition(session, target, currency=settings.currency)
        made = make_plan(session, definition, read_data(settings), now=datetime.now(UTC), actor=actor(), as_of=as_of)
    if json:
        print_json(made.as_json())
    else:
        _show_plan(made)


@campaigns.command()
def launch(
    target: Target,
    plan: Annotated[
        str | None, typer.Option("--plan", help="The plan's hash; default the newest plan of exactly this definition.")
    ] = None,
    home: HomeOption = None,
    json: JsonOption = False,
) -> None:
    """Launch what was planned: decisions, coupons and messages, all at once; `regulars worker` then sends.

    Example: [bold]regulars campaigns launch dormant_winback[/bold]
    """
    settings = settings_for(home)
    with _session(settings, fresh=True) as session:
        definition = find_definition(session, target, currency=settings.currency)
        require_channel(settings, definition.channel)
        done = launch_plan(
            session, definition, read_data(settings), now=datetime.now(UTC), actor=actor(), plan_hash=plan
        )
    if json:
        print_json(done.as_json())
        return
    facts = done.as_json() | {
        "held_out": f"{done.held_out['global']} global, {done.held_out['campaign']} campaign",
        "left_since_plan": _reasons(done.left_since_plan),
    }
    print_facts(f"{escape(definition.name)} is launched; `regulars worker` sends it", facts)


@campaigns.command()
def status(target: Known, home: HomeOption = None, json: JsonOption = False) -> None:
    """Show a campaign's runs and where its messages are.

    Example: [bold]regulars campaigns status dormant_winback[/bold]
    """
    settings = settings_for(home)
    with _session(settings) as session:
        found = states.status_of(session, campaign_id_of(target, currency=settings.currency), now=datetime.now(UTC))
    if json:
        print_json(found.as_json())
        return
    print_table(
        f"{escape(found.name)} ({found.campaign}), planned {found.plans} times",
        ["run", "state", "launched", "decisions", "messages", "why not sent"],
        (
            [
                str(run.run_id),
                f"{run.state}: {run.pause_reason}" if run.pause_reason else run.state,
                f"{run.launched_at:%Y-%m-%d %H:%M}",
                _reasons(run.decisions),
                _reasons(run.messages),
                escape(_reasons(run.reasons)),
            ]
            for run in found.runs
        ),
        whole=["run"],
    )


@campaigns.command()
def report(target: Known, home: HomeOption = None, json: JsonOption = False) -> None:
    """Show what each run earned against customers who were left alone, with a 95 % interval.

    Example: [bold]regulars campaigns report dormant_winback --json[/bold]
    """
    settings = settings_for(home)
    campaign_id = campaign_id_of(target, currency=settings.currency)
    with _session(settings, fresh=True) as session:
        orders = open_history(settings).orders()
        found = reports.report_on(session, campaign_id, orders, now=datetime.now(UTC))
    if json:
        print_json({"campaign": campaign_id, "runs": [run.as_json() for run in found]})
        return
    for run in found:
        _show_report(campaign_id, run)
    if not found:
        out.print(f"{campaign_id} was planned but never launched")


@campaigns.command("list")
def list_all(home: HomeOption = None, json: JsonOption = False) -> None:
    """List campaigns planned so far and the ready definitions.

    Example: [bold]regulars campaigns list[/bold]
    """
    settings = settings_for(home)
    with _session(settings) as session:
        known = [states.status_of(session, each, now=datetime.now(UTC)) for each in states.campaign_ids(session)]
    if json:
        print_json({"campaigns": [each.as_json() for each in known], "ready": ready_names()})
        return
    print_table(
        "Campaigns",
        ["id", "name", "plans", "runs", "decisions", "messages"],
        (
            [
                each.campaign,
                escape(each.name),
                each.plans,
                len(each.runs),
                _reasons(each.decisions),
                _reasons(each.messages),
            ]
            for each in known
        ),
        whole=["id"],
    )
    out.print(f"ready definitions: {', '.join(ready_names())}")


@campaigns.command()
def pause(target: Known, home: HomeOption = None, json: JsonOption = False) -> None:
    """Stop a campaign's running runs from sending any further message.

    Example: [bold]regulars campaigns pause dormant_winback[/bold]
    """
    settings = settings_for(home)
    campaign_id = campaign_id_of(target, currency=settings.currency)
    with _session(settings) as session:
        runs = states.pause_runs(session, campaign_id, now=datetime.now(UTC), actor=actor())
    _tell({"campaign": campaign_id, "paused": runs}, f"{campaign_id}: {runs} runs paused", json=json)


@campaigns.command()
def resume(target: Known, home: HomeOption = None, json: JsonOption = False) -> None:
    """Let a campaign's paused runs send again; failures are counted anew.

    Example: [bold]regulars campaigns resume dormant_winback[/bold]
    """
    settings = settings_for(home)
    campaign_id = campaign_id_of(target, currency=settings.currency)
    with _session(settings) as session:
        runs = states.resume_runs(session, campaign_id, now=datetime.now(UTC), actor=actor())
    _tell({"campaign": campaign_id, "resumed": runs}, f"{campaign_id}: {runs} runs resumed", json=json)


@contextmanager
def _session(settings: Settings, *, fresh: bool = False) -> Iterator[Session]:
    """One transaction; `fresh` first moves orders told by event into history, so that who ordered today counts."""
    database = connect(settings)
    try:
        if fresh:
            compact_inbox(database, settings)
        with transaction(database) as session:
            yield session
    finally:
        database.dispose()


def _instant(text: str | None) -> datetime | None:
    if text is None:
        return None
    try:
        found = datetime.fromisoformat(text)
    except ValueError as error:
        raise InputError(f"{text!r} is no instant such as 2026-03-01T00:00:00Z", where="--at") from error
    return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)


def _show_plan(made: CampaignPlan) -> None:
    for warning in made.warnings:
        err.print(f"warning: {warning}", markup=False)
    ceiling = made.cost_ceiling_cents
    print_facts(
        f"{escape(made.name)} ({made.campaign}) as of {made.as_of:%Y-%m-%d %H:%M} UTC; nothing was sent",
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


def _show_report(campaign_id: str, run: reports.RunReport) -> None:
    print_table(
        f"{campaign_id}, run {run.run_id}: orders from {run.decided_at:%Y-%m-%d} to {run.window_ends_at:%Y-%m-%d}"
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


def _tell(facts: dict[str, object], sentence: str, *, json: bool) -> None:
    if json:
        print_json(facts)
    else:
        out.print(sentence)
