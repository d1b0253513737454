"""Where a campaign's definition is: a file, a ready one's name, or the newest plan of a campaign id."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import select
from sqlalchemy.orm import Session

from campaigns.definition.campaign import Definition, parse
from campaigns.rows import PlanRow
from engine.errors import BadDefinition, BadFile, MissingFile, NotFound
from engine.segments.library import segment_lookup
from engine.segments.parse import Lookup

READY_FOLDER = Path(__file__).parent / "ready"
MAX_FILE_BYTES = 256 * 1024


def ready_names() -> list[str]:
    """Return the names of the definitions that come with the product."""
    return sorted(path.stem for path in READY_FOLDER.glob("*.yaml"))


def find_file(target: str) -> Path | None:
    """Return the file `target` names: a path, or the bare name of a ready definition; None where it is neither.

    Raises MissingFile when it is written like a path and nothing is there.
    """
    path = Path(target)
    if path.is_file():
        return path
    if target in ready_names():
        return READY_FOLDER / f"{target}.yaml"
    if path.suffix in (".yaml", ".yml", ".json") or len(path.parts) > 1 or path.is_dir():
        raise MissingFile("there is no such file; give a YAML definition or a ready one's name", where=target)
    return None


def load_definition(target: str, *, currency: str, lookup: Lookup | None = None) -> Definition:
    """Read a definition from a file or by a ready one's name; `lookup` finds segments it names, as in `parse`.

    Raises NotFound, MissingFile, BadFile for what cannot be read, BadDefinition for what it holds.
    """
    path = find_file(target)
    if path is None:
        raise NotFound(f"no such file, and the ready definitions are {', '.join(ready_names())}", where=target)
    try:
        if path.stat().st_size > MAX_FILE_BYTES:
            raise BadFile(f"larger than {MAX_FILE_BYTES // 1024} KB; this is no campaign definition", where=target)
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise BadFile(f"cannot be read as UTF-8 text ({error})", where=target) from error
    try:
        return parse(text, currency=currency, lookup=lookup)
    except BadDefinition as error:
        raise BadDefinition(error.message, where=f"{target}: {error.where}" if error.where else target) from error


def find_definition(session: Session, target: str, *, currency: str) -> Definition:
    """Return the definition of a file or ready name, or that of the newest plan of a campaign id.

    Raises NotFound where `target` is none of these, and what `load_definition` raises.
    """
    if find_file(target) is not None:
        return load_definition(target, currency=currency, lookup=segment_lookup(session))
    newest = select(PlanRow.definition).where(PlanRow.campaign_id == target).order_by(PlanRow.id.desc()).limit(1)
    source = session.scalar(newest)
    if source is None:
        raise NotFound(
            f"no file, no campaign planned before, and none of the ready definitions {', '.join(ready_names())}",
            where=target,
        )
    return parse(source, currency=currency)


def campaign_id_of(target: str, *, currency: str) -> str:
    """Return the campaign id a file or ready name defines; a `target` that is neither is an id itself."""
    if find_file(target) is None:
        return target
    # The id is the same whatever a segment it names means, so no database is asked.
    anybody = {"orders": {"known": True}}
    return load_definition(target, currency=currency, lookup=lambda _name, _parameters: anybody).id
