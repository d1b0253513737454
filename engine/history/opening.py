"""Which order history a home has."""

from __future__ import annotations

from engine.history.parquet import ParquetHistory
from engine.history.protocol import History
from engine.settings import Settings


def open_history(settings: Settings) -> History:
    """Return the order history of the home that `settings` name; empty where nothing was appended yet."""
    return ParquetHistory(settings.history_folder)
