"""One thing a customer did, as the inbox stores it and every reader receives it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Event:
    """One thing a customer did. `seq` is its place in the inbox; 0 before it is stored."""

    event_id: str
    type: str
    customer_id: str
    at: datetime
    properties: Mapping[str, object]
    seq: int = 0
