"""Segments by name: the ready ones that come with the product, and those marketers saved, with every version kept.

Ready names are taken: no segment can be saved under one.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson
from sqlalchemy import Integer, String, Text, UniqueConstraint, func, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Mapped, Session, mapped_column

from engine.database import audit
from engine.database.session import Base
from engine.database.types import BIG_KEY, Instant
from engine.errors import BadDefinition, Conflict, NotFound, did_you_mean
from engine.segments.definition import (
    SegmentDefinition,
    ready_segment,
    ready_segment_names,
    segment_definition_of,
)
from engine.segments.parse import Lookup, parse_rule
from engine.segments.rule import InSegment, Rule, walk

NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,79}")


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
class SegmentListing:
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


def segment_rule(
    session: Session, segment: object, parameters: Mapping[str, object], *, currency: str, where: str
) -> Rule:
    """Return the rule of a segment by name, with its parameters, or of a tree, which takes none.

    `where` is what errors call the parameters. Raises BadDefinition, and NotFound for a name nobody saved.
    """
    if not isinstance(segment, str) and parameters:
        raise BadDefinition("only a segment by name takes parameters", where=where)
    tree = segment_clause(segment, parameters, where=where) if isinstance(segment, str) else segment
    return parse_rule(tree, currency=currency, lookup=segment_lookup(session))


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


def list_segments(session: Session) -> list[SegmentListing]:
    """Return the ready segments, then the newest version of every saved one, each by name."""
    newest = select(func.max(SegmentRow.id)).group_by(SegmentRow.name)
    rows = session.scalars(select(SegmentRow).where(SegmentRow.id.in_(newest)).order_by(SegmentRow.name))
    return [SegmentListing(name, ready_segment(name)) for name in ready_segment_names()] + [
        SegmentListing(
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
