"""`regulars segments`: check, count, preview, explain, save and compare the groups marketers define."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from cli.app import app
from cli.output import (
    HomeOption,
    JsonOption,
    actor,
    out,
    print_json,
    print_outcome,
    print_table,
    settings_for,
)
from cli.segments.opened import opened_segment, segment_session, text_of
from cli.segments.show import MOST_IDS, explanation_lines, print_change, print_preview
from engine.clock import minute_text
from engine.errors import BadRequest
from engine.files.yaml import write_yaml

segments = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode="rich",
    help="Define groups of customers: check, count, preview, explain, save and compare them.",
)
app.add_typer(segments, name="segments")

Target = Annotated[str, typer.Argument(help="A YAML or JSON file, or the name of a ready or saved segment.")]
AsOfOption = Annotated[
    str | None,
    typer.Option(
        "--as-of",
        help="A date (its whole day counts) or an instant; default the day of the newest order.",
        show_default=False,
    ),
]
WithOption = Annotated[
    list[str] | None, typer.Option("--with", help="A parameter the segment takes, such as cuisine=Sichuan; repeatable.")
]


@segments.command()
def validate(target: Target, with_: WithOption = None, home: HomeOption = None, json: JsonOption = False) -> None:
    """Check a definition to its last clause; nothing is counted or stored.

    Example: [bold]regulars segments validate lapsed.yaml[/bold]
    """
    from engine.segments.rule import walk  # noqa: PLC0415

    with opened_segment(target, home, None, with_, dated=False) as opened:
        clauses = sum(1 for _ in walk(opened.rule))
    print_outcome(
        {"segment": target, "valid": True, "clauses": clauses}, f"{target} is valid ({clauses} clauses)", json=json
    )


@segments.command()
def count(
    target: Target,
    as_of: AsOfOption = None,
    with_: WithOption = None,
    home: HomeOption = None,
    json: JsonOption = False,
) -> None:
    """Count the customers in a segment.

    [bold]Examples[/bold]

      regulars segments count dormant

      regulars segments count lovers_of_cuisine --with cuisine=Sichuan --as-of 2026-03-01
    """
    from engine.segments import preview as previews  # noqa: PLC0415

    with opened_segment(target, home, as_of, with_) as opened:
        found = previews.count_members(opened.rule, opened.sources(), opened.at)
    said = f"{found:,} customers in {target} as of {minute_text(opened.at, opened.settings.timezone)}"
    print_outcome({"segment": target, "as_of": opened.at, "customers": found}, said, json=json)


@segments.command()
def preview(
    target: Target,
    as_of: AsOfOption = None,
    with_: WithOption = None,
    sample: Annotated[int, typer.Option("--sample", min=0, max=1000, help="How many customers to show.")] = MOST_IDS,
    home: HomeOption = None,
    json: JsonOption = False,
) -> None:
    """Show how many are in a segment, how many each channel reaches, and a few of them.

    Example: [bold]regulars segments preview lapsed_high_value[/bold]
    """
    from engine.segments import preview as previews  # noqa: PLC0415

    with opened_segment(target, home, as_of, with_) as opened:
        found = previews.preview_segment(
            opened.rule, opened.sources(), opened.at, open_session=opened.open_session, sample=sample
        )
    if json:
        print_json({"segment": target, **found.as_json()})
        return
    print_preview(target, found, opened.settings.timezone)


@segments.command()
def explain(
    target: Target,
    customer: Annotated[str, typer.Argument(help="A customer's id.")],
    as_of: AsOfOption = None,
    with_: WithOption = None,
    home: HomeOption = None,
    json: JsonOption = False,
) -> None:
    """Say why a customer is in a segment or not: every clause, with the value it met.

    Example: [bold]regulars segments explain dormant c-1042[/bold]
    """
    from engine.segments.explain import explain_membership as explain_one  # noqa: PLC0415

    with opened_segment(target, home, as_of, with_) as opened:
        found = explain_one(opened.rule, opened.sources(), opened.at, customer)
    if json:
        print_json({"segment": target, "customer_id": customer, "as_of": opened.at, "matched": found.matched,
                    "explained": found.as_json()})  # fmt: skip
        return
    answer = "is" if found.matched else "is not"
    out.print(f"{customer} {answer} in {target} as of {minute_text(opened.at, opened.settings.timezone)}", markup=False)
    for line in explanation_lines(found, 1):
        out.print(line, markup=False)


@segments.command()
def save(
    name: Annotated[str, typer.Argument(help="The name to save it under: small letters, digits, - and _.")],
    file: Annotated[Path, typer.Argument(help="The YAML or JSON file that defines it.")],
    home: HomeOption = None,
    json: JsonOption = False,
) -> None:
    """Save a definition under a name, as its next version; campaigns and other segments may then name it.

    Example: [bold]regulars segments save lapsed_vip lapsed.yaml[/bold]
    """
    from engine.segments import library  # noqa: PLC0415
    from engine.segments.definition import read_segment_tree  # noqa: PLC0415

    settings = settings_for(home)
    tree = read_segment_tree(text_of(file))
    with segment_session(settings) as session:
        row, fresh = library.save_segment(
            session, datetime.now(UTC), name=name, tree=tree, currency=settings.currency, actor=actor()
        )
        version = row.version
    said = f"{name}: " + (f"saved as version {version}" if fresh else f"nothing new; still version {version}")
    print_outcome({"segment": name, "version": version, "new": fresh}, said, json=json)


@segments.command("list")
def list_(home: HomeOption = None, json: JsonOption = False) -> None:
    """List the ready and the saved segments.

    Example: [bold]regulars segments list[/bold]
    """
    from engine.segments import library  # noqa: PLC0415

    with segment_session(settings_for(home)) as session:
        found = library.list_segments(session)
    if json:
        print_json([each.as_json() for each in found])
        return
    print_table(
        "Segments",
        ["name", "version", "in Chinese", "who"],
        [[e.name, e.version or "ready", e.definition.title.get("zh"), e.definition.about.get("en")] for e in found],
        whole=["name"],
    )


@segments.command()
def show(name: Annotated[str, typer.Argument(help="The name of a ready or saved segment.")],
         home: HomeOption = None, json: JsonOption = False) -> None:  # fmt: skip
    """Show a segment's definition as YAML, and its versions.

    Example: [bold]regulars segments show dormant[/bold]
    """
    from engine.segments import library  # noqa: PLC0415

    with segment_session(settings_for(home)) as session:
        found = library.find_segment_definition(session, name)
        versions = [row.as_json() for row in library.segment_versions(session, name)]
    if json:
        print_json({"segment": name, **found.as_json(), "versions": versions})
        return
    typer.echo(write_yaml(found.as_json()).rstrip())
    for version in versions:
        typer.echo(f"# version {version['version']}, {version['created_at']:%Y-%m-%d %H:%M} by {version['created_by']}")


@segments.command()
def diff(
    target: Target,
    since: Annotated[str, typer.Option("--since", help="The earlier date or instant.", show_default=False)],
    until: Annotated[
        str | None, typer.Option("--until", help="The later one; default the day of the newest order.")
    ] = None,
    with_: WithOption = None,
    home: HomeOption = None,
    json: JsonOption = False,
) -> None:
    """Compare a segment at two instants: who came, who left.

    Example: [bold]regulars segments diff active --since 2026-02-01 --until 2026-03-01[/bold]
    """
    from engine.customers.moment import read_moment  # noqa: PLC0415
    from engine.segments import preview as previews  # noqa: PLC0415
    from engine.segments.sources import home_segment_sources  # noqa: PLC0415

    with opened_segment(target, home, until, with_) as opened:
        earlier = read_moment(since, opened.settings.timezone, where="--since").at
        if earlier >= opened.at:
            raise BadRequest("must be before the later one", where="--since")
        old = home_segment_sources(opened.settings, opened.open_session)
        new = opened.sources()
        found = previews.membership_change(opened.rule, old, new, since=earlier, until=opened.at)
    facts = {"since": earlier, "until": opened.at, "before": found.before, "after": found.after}
    if json:
        print_json({"segment": target, **facts, "came": found.came, "left": found.left})
        return
    print_change(target, found, earlier, opened.at, opened.settings.timezone)


@segments.command()
def schema(home: HomeOption = None, json: JsonOption = False) -> None:
    """Print the JSON Schema of segments, for editors and other programs.

    Example: [bold]regulars segments schema > segment.schema.json[/bold]
    """
    from engine.segments.schema import segment_json_schema  # noqa: PLC0415

    del home, json  # every command takes them; the schema is the same everywhere, and always JSON
    print_json(segment_json_schema())
