"""Segments by name: the ready ones that come with the product, and those marketers saved, with every version kept.

A definition is YAML or JSON: a bare rule, or `name:` (en, zh), `about:` (en, zh), `parameters:` and `rule:`. Where a
ready and a saved segment share a name the saved one cannot be made: ready names are taken.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any

import orjson
import yaml
from sqlalchemy import Integer, String, Text, UniqueConstraint, func, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Mapped, Session, mapped_column

from engine.database import audit
from engine.database.session import BIG_KEY, Base, Instant
from engine.errors import BadDefinition, Conflict, NotFound, did_you_mean
from engine.files.yaml import StrictLoader
from engine.segments.parse import Lookup, parse_rule
from engine.segments.rule import InSegment, Rule, walk

READY_SEGMENTS = Path(__file__).parent / "ready"
NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,79}")
MAX_BYTES = 256 * 1024
MAX_NODES = 50_000
TOP = ("name", "about", "parameters", "rule")
TITLE_LANGUAGES = ("en", "zh")


class SegmentRow(Base):
    """One version of a saved segment; rows are never changed, the newest is in force."""

    __tablename__ = "segments"
    id: Mapped[int] = mapped_column(BIG_KEY, primary_key=True, autoincrement=True)
    name: Mapped[str] = mapped_column(String(80))
    version: Mapped[int] = mapped_column(Integer())
    definition: Mapped[str] = mapped_column(Text())
    created_at: Mapped[datetime] = mapped_column(Instant())
    created_by: Mapped[str] = mapped_column(String(200))
    __table_args__ = (UniqueConstraint("name", "version", name="uq_segments"),)

    def as_json(self) -> dict[str, Any]:
        """Return who made it when, without the definition."""
        return {"version": self.version, "created_at": self.created_at, "created_by": self.created_by}


@dataclass(frozen=True, slots=True)
class SegmentDefinition:
    """A segment as written: its tree, the words people know it by, and the parameters its tree fills in.

    `parameters` maps a name to its default, None where one must be given; the tree names one as "$cuisine".
    """

    tree: object
    title: Mapping[str, str]
    about: Mapping[str, str]
    parameters: Mapping[str, object]

    def as_json(self) -> dict[str, object]:
        """Return it as it is written, headings first where it has any."""
        found: dict[str, object] = {"name": dict(self.title)} if self.title else {}
        if self.about:
            found["about"] = dict(self.about)
        if self.parameters:
            found["parameters"] = dict(self.parameters)
        return found | {"rule": self.tree}

    def filled(self, given: Mapping[str, object], *, where: str) -> object:
        """Return the tree with parameters filled in. Raises BadDefinition for one unknown or missing."""
        for name in given:
            if name not in self.parameters:
                known = did_you_mean(name, self.parameters) if self.parameters else "; it takes none"
                raise BadDefinition(f"unknown parameter {name!r}{known}", where=where)
        values = {name: given.get(name, default) for name, default in self.parameters.items()}
        for name, value in values.items():
            if value is None:
                raise BadDefinition(f"needs its parameter {name!r}, such as {name}: ...", where=where)
        return _filled(self.tree, values)


@dataclass(frozen=True, slots=True)
class ListedSegment:
    """A segment as the list shows it; version and what follows are None for a ready one."""

    name: str
    definition: SegmentDefinition
    version: int | None = None
    created_at: datetime | None = None
    created_by: str | None = None

    def as_json(self) -> dict[str, object]:
        """Return it for scripts."""
        found: dict[str, object] = {"segment": self.name, "ready": self.version is None, "version": self.version}
        found |= {"created_at": self.created_at, "created_by": self.created_by}
        return found | self.definition.as_json()


def ready_segment_names() -> list[str]:
    """Return the names of the segments that come with the product."""
    return sorted(path.stem for path in READY_SEGMENTS.glob("*.yaml"))


@cache
def ready_segment(name: str) -> SegmentDefinition:
    """Return the ready segment `name`."""
    return read_segment_definition((READY_SEGMENTS / f"{name}.yaml").read_text(encoding="utf-8"))


def read_segment_definition(text: str) -> SegmentDefinition:
    """Read YAML or JSON text; the rule itself is checked by `parse_rule`. Raises BadDefinition."""
    return segment_definition_of(read_segment_tree(text))


def read_segment_tree(text: str) -> object:
    """Return the parsed tree of YAML or JSON text. Raises BadDefinition where it is neither, or too large."""
    if len(text.encode()) > MAX_BYTES:
        raise BadDefinition(f"larger than {MAX_BYTES // 1024} KB; this is no segment")
    try:
        tree = yaml.load(text, Loader=StrictLoader)  # noqa: S506 - a SafeLoader
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        problem = getattr(error, "problem", None) or "not YAML"
        raise BadDefinition(f"broken YAML: {problem}", where=f"line {mark.line + 1}" if mark else None) from error
    except (RecursionError, ValueError) as error:
        raise BadDefinition(f"broken YAML: {error}") from error
    _refuse_endless(tree)
    return tree


def segment_definition_of(tree: object) -> SegmentDefinition:
    """Return the definition a parsed `tree` gives. Raises BadDefinition for a wrong heading."""
    _refuse_endless(tree)
    if not isinstance(tree, Mapping) or "rule" not in tree:
        return SegmentDefinition(tree, {}, {}, {})
    for key in tree:
        if key not in TOP:
            raise BadDefinition(f"unknown field{did_you_mean(str(key), TOP)}", where=str(key))
    parameters = tree.get("parameters", {})
    if not isinstance(parameters, Mapping) or not all(isinstance(key, str) for key in parameters):
        raise BadDefinition("expected names, each with a default or nothing", where="parameters")
    return SegmentDefinition(tree["rule"], _words(tree, "name"), _words(tree, "about"), dict(parameters))


def segment_lookup(session: Session | None) -> Lookup:
    """Return the look-up of names among ready and, with a session, saved segments."""

    def find(name: str, given: Mapping[str, object]) -> object:
        return find_segment_definition(session, name).filled(given, where=name)

    return find


def segment_clause(name: str, parameters: Mapping[str, object], *, where: str) -> dict[str, object]:
    """Return the clause of the segment `name` with its parameters.

    Raises BadDefinition for those that would put another segment, or a rule, in its place.
    """
    for taken in ("name", "rule"):
        if taken in parameters:
            raise BadDefinition(f"no segment takes a parameter {taken!r}", where=where)
    return {"segment": {"name": name, **parameters}}


def find_segment_definition(session: Session | None, name: str) -> SegmentDefinition:
    """Return the ready segment `name`, or the newest version of the saved one. Raises NotFound."""
    if name in ready_segment_names():
        return ready_segment(name)
    row = _newest(session, name) if session is not None else None
    if row is not None:
        return segment_definition_of(orjson.loads(row.definition))
    saved = list(session.scalars(select(SegmentRow.name).distinct())) if session is not None else []
    raise NotFound(
        f"no ready or saved segment {name!r}{did_you_mean(name, [*ready_segment_names(), *saved])}", where="segment"
    )


def save_segment(
    session: Session, now: datetime, *, name: str, tree: object, currency: str, actor: str
) -> tuple[SegmentRow, bool]:
    """Check and keep a definition (its parsed tree) under `name`; return its newest row and whether it is new.

    The same definition again makes no version. Raises BadDefinition for a wrong name or rule, Conflict for a ready name
    or when two save at once.
    """
    if not NAME.fullmatch(name):
        raise BadDefinition("expected small letters, digits, - and _ (at most 80), such as lapsed_vip", where="name")
    if name in ready_segment_names():
        raise Conflict(f"{name!r} is a ready segment; save yours under another name", where="name")
    definition = segment_definition_of(tree)
    if None not in definition.parameters.values():
        _check_saved(session, name, definition, currency)
    newest = _newest(session, name)
    stored = orjson.dumps(tree, option=orjson.OPT_SORT_KEYS | orjson.OPT_NON_STR_KEYS).decode()
    if newest is not None and newest.definition == stored:
        return newest, False
    version = newest.version + 1 if newest else 1
    row = SegmentRow(name=name, version=version, definition=stored, created_at=now, created_by=actor)
    try:
        with session.begin_nested():
            session.add(row)
    except IntegrityError as error:
        raise Conflict(f"{name!r} was saved by someone else just now; look, and save again", where="name") from error
    audit.record(session, now, actor=actor, action="segment.save", target=name, detail={"version": version})
    return row, True


def segment_versions(session: Session, name: str) -> list[SegmentRow]:
    """Return every version of a saved segment, newest first."""
    query = select(SegmentRow).where(SegmentRow.name == name).order_by(SegmentRow.version.desc())
    return list(session.scalars(query))


def list_segments(session: Session) -> list[ListedSegment]:
    """Return the ready segments, then the newest version of every saved one, each by name."""
    newest = select(func.max(SegmentRow.id)).group_by(SegmentRow.name)
    rows = session.scalars(select(SegmentRow).where(SegmentRow.id.in_(newest)).order_by(SegmentRow.name))
    return [ListedSegment(name, ready_segment(name)) for name in ready_segment_names()] + [
        ListedSegment(
            row.name, segment_definition_of(orjson.loads(row.definition)), row.version, row.created_at, row.created_by
        )
        for row in rows
    ]


def inline_segments(tree: object, lookup: Lookup, *, within: tuple[str, ...] = ()) -> object:
    """Return `tree` with every segment it names written out, so that it means the same whatever is saved later.

    What is wrong stays as it is: `parse_rule` reports it.
    """
    if isinstance(tree, str) and not within:
        return inline_segments({"segment": tree}, lookup, within=("",))
    if isinstance(tree, list):
        return [inline_segments(each, lookup, within=within or ("",)) for each in tree]
    if not isinstance(tree, Mapping):
        return tree
    found: dict[Any, object] = {}
    for key, inner in tree.items():
        if key == "segment":
            found[key] = _member(inner, lookup, within)
        elif key in ("all", "any", "not"):
            found[key] = inline_segments(inner, lookup, within=within or ("",))
        else:
            found[key] = inner
    return found


def _member(inner: object, lookup: Lookup, within: tuple[str, ...]) -> object:
    asked = {"name": inner} if isinstance(inner, str) else inner
    if not isinstance(asked, Mapping) or not isinstance(asked.get("name"), str) or "rule" in asked:
        return inner
    name = str(asked["name"])
    if name in within:
        raise BadDefinition(f"goes in a circle: {' -> '.join([*within[1:], name])}", where="segment")
    tree = lookup(name, {str(k): v for k, v in asked.items() if k != "name"})
    return {"name": name, "rule": inline_segments(tree, lookup, within=(*(within or ("",)), name))}


def _check_saved(session: Session, name: str, definition: SegmentDefinition, currency: str) -> Rule:
    rule = parse_rule(
        definition.filled({}, where="parameters"), currency=currency, where="rule", lookup=segment_lookup(session)
    )
    if any(isinstance(each, InSegment) and each.name == name for each in walk(rule)):
        raise BadDefinition(f"goes in a circle: {name} names itself", where="rule")
    return rule


def _newest(session: Session, name: str) -> SegmentRow | None:
    query = select(SegmentRow).where(SegmentRow.name == name).order_by(SegmentRow.version.desc()).limit(1)
    return session.scalar(query)


def _refuse_endless(tree: object) -> None:
    """Refuse what is small in the file and endless when read, as YAML aliases within aliases make it."""
    left, waiting = MAX_NODES, [tree]
    while waiting:
        left -= 1
        if left < 0:
            raise BadDefinition(f"too large; at most {MAX_NODES:,} names and values")
        each = waiting.pop()
        if isinstance(each, Mapping):
            waiting += each.values()
        elif isinstance(each, list):
            waiting += each


def _words(tree: Mapping[object, object], key: str) -> dict[str, str]:
    value = tree.get(key, {})
    if isinstance(value, str):
        value = dict.fromkeys(TITLE_LANGUAGES, value)
    if not isinstance(value, Mapping) or not all(k in TITLE_LANGUAGES and isinstance(v, str) for k, v in value.items()):
        raise BadDefinition("expected text, or `en:` and `zh:`", where=key)
    return dict(value)


def _filled(tree: object, values: Mapping[str, object]) -> object:
    if isinstance(tree, Mapping):
        return {key: _filled(inner, values) for key, inner in tree.items()}
    if isinstance(tree, list):
        return [_filled(each, values) for each in tree]
    if isinstance(tree, str) and tree.startswith("$") and tree[1:] in values:
        return values[tree[1:]]
    return tree
