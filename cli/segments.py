"""`regulars segments`: check, count, preview, explain, save and compare the groups marketers define."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape

from cli.app import app
from cli.output import HomeOption, JsonOption, actor, out, print_facts, print_json, print_table, settings_for
from engine.errors import BadDefinition, BadFile, BadRequest, MissingFile
from engine.files.yaml import write_yaml

if TYPE_CHECKING:
    from sqlalchemy import Engine
    from sqlalchemy.orm import Session

    from engine.segments.definition import SegmentDefinition
    from engine.segments.explain import ExplainedRule
    from engine.segments.rule import Rule
    from engine.segments.sources import OpenSession
    from engine.settings import Settings

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
MOST_IDS = 20


@dataclass(frozen=True, slots=True)
class Opened:
    """A segment ready to be asked: its rule, the instant, whether that was given, and the open database."""

    settings: Settings
    database: Engine
    rule: Rule
    at: datetime
    exact: bool

    @property
    def open_session(self) -> OpenSession:
        """Open short transactions for each look at the database."""
        from engine.database.session import transaction  # noqa: PLC0415 - with the others below: help need not load them

        return lambda: transaction(self.database)


@segments.command()
def validate(target: Target, with_: WithOption = None, home: HomeOption = None, json: JsonOption = False) -> None:
    """Check a definition to its last clause; nothing is counted or stored.

    Example: [bold]regulars segments validate lapsed.yaml[/bold]
    """
    from engine.segments.rule import walk  # noqa: PLC0415

    with opened_segment(target, home, None, with_, dated=False) as opened:
        clauses = sum(1 for _ in walk(opened.rule))
    _tell({"segment": target, "valid": True, "clauses": clauses}, f"{target} is valid ({clauses} clauses)", json=json)


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
    from engine.segments.sources import home_segment_sources  # noqa: PLC0415

    with opened_segment(target, home, as_of, with_) as opened:
        sources = home_segment_sources(opened.settings, opened.open_session, exact=opened.exact)
        found = previews.count_members(opened.rule, sources, opened.at)
    said = f"{found:,} customers in {target} as of {_when(opened.at)}"
    _tell({"segment": target, "as_of": opened.at, "customers": found}, said, json=json)


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
    from engine.segments.sources import home_segment_sources  # noqa: PLC0415

    with opened_segment(target, home, as_of, with_) as opened:
        sources = home_segment_sources(opened.settings, opened.open_session, exact=opened.exact)
        found = previews.preview_segment(
            opened.rule, sources, opened.at, open_session=opened.open_session, sample=sample
        )
    if json:
        print_json({"segment": target, **found.as_json()})
        return
    out.print(f"{found.customers:,} customers in {target} as of {_when(found.as_of)}", markup=False)
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
    from engine.segments.sources import home_segment_sources  # noqa: PLC0415

    with opened_segment(target, home, as_of, with_) as opened:
        sources = home_segment_sources(opened.settings, opened.open_session, exact=opened.exact)
        found = explain_one(opened.rule, sources, opened.at, customer)
    if json:
        print_json({"segment": target, "customer_id": customer, "as_of": opened.at, "matched": found.matched,
                    "explained": found.as_json()})  # fmt: skip
        return
    answer = "is" if found.matched else "is not"
    out.print(f"{customer} {answer} in {target} as of {_when(opened.at)}", markup=False)
    for line in _lines(found, 1):
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
    tree = read_segment_tree(_text(file))
    with _session(settings) as session:
        row, fresh = library.save_segment(
            session, datetime.now(UTC), name=name, tree=tree, currency=settings.currency, actor=actor()
        )
        version = row.version
    said = f"{name}: " + (f"saved as version {version}" if fresh else f"nothing new; still version {version}")
    _tell({"segment": name, "version": version, "new": fresh}, said, json=json)


@segments.command("list")
def list_(home: HomeOption = None, json: JsonOption = False) -> None:
    """List the ready and the saved segments.

    Example: [bold]regulars segments list[/bold]
    """
    from engine.segments import library  # noqa: PLC0415

    with _session(settings_for(home)) as session:
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

    with _session(settings_for(home)) as session:
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
        new = home_segment_sources(opened.settings, opened.open_session, exact=opened.exact)
        found = previews.membership_change(opened.rule, old, new, since=earlier, until=opened.at)
    facts = {"since": earlier, "until": opened.at, "before": found.before, "after": found.after}
    if json:
        print_json({"segment": target, **facts, "came": found.came, "left": found.left})
        return
    print_facts(
        target,
        {
            f"in it on {_when(earlier)}": found.before,
            f"in it on {_when(opened.at)}": found.after,
            "came": f"{len(found.came):,} ({_some(found.came)})",
            "left": f"{len(found.left):,} ({_some(found.left)})",
        },
    )


@segments.command()
def schema(home: HomeOption = None, json: JsonOption = False) -> None:
    """Print the JSON Schema of segments, for editors and other programs.

    Example: [bold]regulars segments schema > segment.schema.json[/bold]
    """
    from engine.segments.schema import segment_json_schema  # noqa: PLC0415

    del home, json  # every command takes them; the schema is the same everywhere, and always JSON
    print_json(segment_json_schema())


@contextmanager
def _session(settings: Settings) -> Iterator[Session]:
    from engine.database.session import connect, transaction  # noqa: PLC0415

    database = connect(settings)
    try:
        with transaction(database) as session:
            yield session
    finally:
        database.dispose()


@contextmanager
def opened_segment(
    target: str, home: Path | None, as_of: str | None, given: list[str] | None, *, dated: bool = True
) -> Iterator[Opened]:
    from engine.database.session import connect, transaction  # noqa: PLC0415
    from engine.history.compaction import compact_inbox  # noqa: PLC0415
    from engine.segments.library import segment_clause, segment_lookup  # noqa: PLC0415
    from engine.segments.parse import parse_rule  # noqa: PLC0415
    from engine.segments.sources import segment_instant  # noqa: PLC0415

    settings = settings_for(home)
    parameters = _parameters(given)
    database = connect(settings)
    try:
        if dated:
            # Who ordered today must count today.
            compact_inbox(database, settings)
        with transaction(database) as session:
            lookup = segment_lookup(session)
            written = _file(target)
            tree = (
                segment_clause(target, parameters, where="--with")
                if written is None
                else written.filled(parameters, where="--with")
            )
            rule = parse_rule(tree, currency=settings.currency, lookup=lookup)
        now = datetime.now(UTC)
        at = segment_instant(settings, as_of, now=now, where="--as-of") if dated else now
        yield Opened(settings, database, rule, at, as_of is not None)
    finally:
        database.dispose()


def _file(target: str) -> SegmentDefinition | None:
    from engine.segments.definition import read_segment_definition  # noqa: PLC0415

    path = Path(target)
    if not path.is_file():
        if path.suffix in (".yaml", ".yml", ".json") or len(path.parts) > 1:
            raise MissingFile("there is no such file; give a definition, or a segment's name", where=target)
        return None
    try:
        return read_segment_definition(_text(path))
    except BadDefinition as error:
        raise BadDefinition(error.message, where=f"{target}: {error.where}" if error.where else target) from error


def _text(path: Path) -> str:
    if not path.is_file():
        raise MissingFile("there is no such file", where=str(path))
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise BadFile(f"cannot be read as UTF-8 text ({error})", where=str(path)) from error


def _parameters(given: list[str] | None) -> Mapping[str, str]:
    found = {}
    for each in given or []:
        name, sign, value = each.partition("=")
        if not sign or not name or not value:
            raise BadRequest(f"{each!r} is not NAME=VALUE such as cuisine=Sichuan", where="--with")
        found[name] = value
    return found


def _lines(node: ExplainedRule, depth: int) -> Iterator[str]:
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
        yield from _lines(each, depth + 1)


def _some(ids: list[str]) -> str:
    return ", ".join(ids[:MOST_IDS]) + (" ..." if len(ids) > MOST_IDS else "") if ids else "nobody"


def _tell(facts: Mapping[str, object], sentence: str, *, json: bool) -> None:
    if json:
        print_json(facts)
    else:
        out.print(sentence, markup=False)


def _when(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M} UTC"
