"""Which segment is meant: a ready one, a saved one, or a file; with its parameters and where it reads."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from cli.output import settings_for
from engine.errors import BadDefinition, BadFile, BadRequest, MissingFile

if TYPE_CHECKING:
    from sqlalchemy import Engine
    from sqlalchemy.orm import Session

    from engine.segments.definition import SegmentDefinition
    from engine.segments.inputs import SegmentSources
    from engine.segments.rule import Rule
    from engine.segments.sources import OpenSession
    from engine.settings import Settings


@dataclass(frozen=True, slots=True)
class OpenedSegment:
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

    def sources(self) -> SegmentSources:
        """Return what the segment is read from, as of its instant."""
        from engine.segments.sources import home_segment_sources  # noqa: PLC0415

        return home_segment_sources(self.settings, self.open_session, exact=self.exact)


@contextmanager
def segment_session(settings: Settings) -> Iterator[Session]:
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
) -> Iterator[OpenedSegment]:
    from engine.database.session import connect, transaction  # noqa: PLC0415
    from engine.history.compaction import compact_inbox  # noqa: PLC0415
    from engine.segments.library import segment_rule  # noqa: PLC0415
    from engine.segments.sources import segment_instant  # noqa: PLC0415

    settings = settings_for(home)
    parameters = given_parameters(given)
    database = connect(settings)
    try:
        if dated:
            # Who ordered today must count today.
            compact_inbox(database, settings)
        with transaction(database) as session:
            written = definition_in_file(target)
            if written is None:
                rule = segment_rule(session, target, parameters, currency=settings.currency, where="--with")
            else:
                tree = written.filled(parameters, where="--with")
                rule = segment_rule(session, tree, {}, currency=settings.currency, where="--with")
        now = datetime.now(UTC)
        at = segment_instant(settings, as_of, now=now, where="--as-of") if dated else now
        yield OpenedSegment(settings, database, rule, at, as_of is not None)
    finally:
        database.dispose()


def definition_in_file(target: str) -> SegmentDefinition | None:
    from engine.segments.definition import read_segment_definition  # noqa: PLC0415

    path = Path(target)
    if not path.is_file():
        if path.suffix in (".yaml", ".yml", ".json") or len(path.parts) > 1:
            raise MissingFile("there is no such file; give a definition, or a segment's name", where=target)
        return None
    try:
        return read_segment_definition(text_of(path))
    except BadDefinition as error:
        raise BadDefinition(error.message, where=f"{target}: {error.where}" if error.where else target) from error


def text_of(path: Path) -> str:
    if not path.is_file():
        raise MissingFile("there is no such file", where=str(path))
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise BadFile(f"cannot be read as UTF-8 text ({error})", where=str(path)) from error


def given_parameters(given: list[str] | None) -> Mapping[str, str]:
    found = {}
    for each in given or []:
        name, sign, value = each.partition("=")
        if not sign or not name or not value:
            raise BadRequest(f"{each!r} is not NAME=VALUE such as cuisine=Sichuan", where="--with")
        found[name] = value
    return found
