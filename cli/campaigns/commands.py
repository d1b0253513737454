"""`regulars campaigns`: check, plan, launch and follow what marketers define."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

import typer
from rich.markup import escape

from campaigns.channels.registry import require_channel
from campaigns.definition.find import campaign_id_of, find_definition, load_definition, ready_names
from campaigns.results import report as reports
from campaigns.runs import status as states
from campaigns.runs.data import read_data
from campaigns.runs.launch import launch as launch_plan
from campaigns.runs.plan import make_plan
from cli.app import app
from cli.campaigns.opened import campaign_session, moment_of
from cli.campaigns.show import _reasons, show_plan, show_report
from cli.output import (
    HomeOption,
    JsonOption,
    actor,
    out,
    print_facts,
    print_json,
    print_outcome,
    print_table,
    settings_for,
)
from engine.clock import minute_text
from engine.history.opening import open_history
from engine.history.tables import read_table
from engine.segments.library import segment_lookup

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
    typer.Option("--at", help="Read the data as of a date (its whole day counts) or an instant; default now."),
]


@campaigns.command()
def validate(target: Target, home: HomeOption = None, json: JsonOption = False) -> None:
    """Check a definition to its last field, templates and offer included; nothing is stored.

    Example: [bold]regulars campaigns validate dormant_winback[/bold]
    """
    settings = settings_for(home)
    with campaign_session(settings) as session:
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
    as_of = moment_of(at, settings.timezone)
    with campaign_session(settings, fresh=True) as session:
        definition = find_definition(session, target, currency=settings.currency)
        made = make_plan(session, definition, read_data(settings), now=datetime.now(UTC), actor=actor(), as_of=as_of)
    if json:
        print_json(made.as_json())
    else:
        show_plan(made, settings.timezone)


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
    with campaign_session(settings, fresh=True) as session:
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
    with campaign_session(settings) as session:
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
                minute_text(run.launched_at, settings.timezone),
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
    with campaign_session(settings, fresh=True) as session:
        orders = open_history(settings).orders()
        found = reports.report_on(session, campaign_id, orders, now=datetime.now(UTC))
    if json:
        print_json({"campaign": campaign_id, "runs": [run.as_json() for run in found]})
        return
    for run in found:
        show_report(campaign_id, run, settings.timezone)
    if not found:
        out.print(f"{campaign_id} was planned but never launched")


@campaigns.command("list")
def list_all(home: HomeOption = None, json: JsonOption = False) -> None:
    """List campaigns planned so far and the ready definitions.

    Example: [bold]regulars campaigns list[/bold]
    """
    settings = settings_for(home)
    with campaign_session(settings) as session:
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
    with campaign_session(settings) as session:
        runs = states.pause_runs(session, campaign_id, now=datetime.now(UTC), actor=actor())
    print_outcome({"campaign": campaign_id, "paused": runs}, f"{campaign_id}: {runs} runs paused", json=json)


@campaigns.command()
def resume(target: Known, home: HomeOption = None, json: JsonOption = False) -> None:
    """Let a campaign's paused runs send again; failures are counted anew.

    Example: [bold]regulars campaigns resume dormant_winback[/bold]
    """
    settings = settings_for(home)
    campaign_id = campaign_id_of(target, currency=settings.currency)
    with campaign_session(settings) as session:
        runs = states.resume_runs(session, campaign_id, now=datetime.now(UTC), actor=actor())
    print_outcome({"campaign": campaign_id, "resumed": runs}, f"{campaign_id}: {runs} runs resumed", json=json)
