"""The town of the ranking tests, asked from its shelves."""

from tests.engine.ranking.conftest import town

__all__ = ["town"]
