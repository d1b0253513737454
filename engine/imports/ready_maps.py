"""The maps that come with the product: found by name, or a file of one's own."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from engine.errors import MissingFile, did_you_mean

READY_MAPS = Path(__file__).parent / "ready"


def ready_map_names() -> Sequence[str]:
    """Return the names of the maps that come with the product."""
    return sorted(path.stem for path in READY_MAPS.glob("*.yaml"))


def find_map(target: str) -> Path:
    """Return the file that `target` names: a path, or the bare name of a ready map.

    Raises MissingFile where it is neither.
    """
    path = Path(target)
    if path.exists():
        return path
    if target in ready_map_names():
        return READY_MAPS / f"{target}.yaml"
    if path.suffix or len(path.parts) > 1:
        raise MissingFile("no such map; check the path", where=target)
    raise MissingFile(f"no such map{did_you_mean(target, ready_map_names())}", where=target)
