"""Where the models write what they score of one customer's dishes: a few hundred rows instead of the whole catalogue.

A dish gets a row when the first model scores it; what no model scores costs nothing. The board is scratch space: one a
thread, cleared for each customer by undoing only what was written.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from engine.models.arrays import FloatArray, IntArray, Rows
from engine.models.kernels import board_rows
from engine.models.query import Query


class Board:
    """Rows of dishes and each model's score of them.

    The first `n_own` rows are the dishes the customer ordered, in the order of their first basket with them, with their
    figures in `own` (rows, 5); `columns` names each row's dish, `model_scores` (rows, models) holds the scores, 0 where
    a model has no opinion. Only the first `n` rows mean anything.
    """

    def __init__(self, n_items: int, n_models: int) -> None:
        self.row_of: IntArray = np.full(n_items, -1, dtype=np.int32)
        self.columns: IntArray = np.empty(n_items, dtype=np.int32)
        self.model_scores: FloatArray = np.empty((n_items, n_models), dtype=np.float32)
        self.own: FloatArray = np.empty((n_items, 5), dtype=np.float32)
        self.n = 0
        self.n_own = 0
        self._spare: dict[str, FloatArray] = {}

    def start(self, query: Query) -> None:
        """Clear the rows of the customer before and write this one's own dishes."""
        board_rows.clear(self.row_of, self.columns, self.n)
        self.n = self.n_own = board_rows.own_dishes(
            query.items, query.start, query.here, self.row_of, self.columns, self.model_scores, self.own
        )

    def spare(self, name: str, size: int) -> FloatArray:
        """Return (size,) zeros for a model's own use; it leaves them zero."""
        if name not in self._spare or len(self._spare[name]) != size:
            self._spare[name] = np.zeros(size, dtype=np.float32)
        return self._spare[name]

    def add_rows(self, part: int, rows: Rows, seeds: IntArray, weights: FloatArray) -> None:
        """Add to the scores of model `part` the rows `seeds` of a matrix over items, each times its weight."""
        self.n = board_rows.add_rows(
            rows.start,
            rows.columns,
            rows.values,
            seeds,
            weights,
            part,
            self.n,
            self.row_of,
            self.columns,
            self.model_scores,
        )

    def add_columns(self, columns: IntArray, mask: npt.NDArray[np.bool_], most: int) -> bool:
        """Give the first `most` of `columns` that `mask` lets through a row, where they have none.

        Returns whether there were as many; columns below 0 are passed over.
        """
        self.n, enough = board_rows.add_columns(
            columns, mask, most, self.n, self.row_of, self.columns, self.model_scores
        )
        return enough

    def own_columns(self) -> IntArray:
        """Return the dishes the customer ordered; a view."""
        return self.columns[: self.n_own]
