"""Which orders told by events still count."""

from __future__ import annotations

# An order with one of these statuses no longer counts.
UNDONE_STATUSES = frozenset({"cancelled", "rejected", "refunded"})
