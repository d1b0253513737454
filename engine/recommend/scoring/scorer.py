"""What the models say of the dishes the customer may order, as one pool, best first.

Models write on a board what they have to say; the best by the blend are candidates; the ranker, where it serves,
orders them anew. The same path answers requests, judges on held-out baskets and teaches the ranker.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Self

import numpy as np

from engine.models.arrays import FloatArray, IntArray, read_only
from engine.models.base import Recommender
from engine.models.board import Board
from engine.models.kernels.best import best_of
from engine.models.query import Query
from engine.recommend.kernels.blending import best_rows, take_rows
from engine.recommend.scoring.allowed import Allowed
from engine.recommend.scoring.blend import Blend
from engine.recommend.scoring.features import features
from engine.recommend.scoring.ranker import Ranker

# How many of the blend's best are worth a closer look.
CANDIDATES = 150


@dataclass(frozen=True, slots=True)
class Pool:
    """Dishes that passed every hard filter, by falling score.

    `columns` (n) are distinct, `scores` (n) fall, `model_scores` (n, models) holds the score of each model of
    `names`, 0 where it has no opinion. `table` (n, features) is what the ranker saw; None where the blend decides.
    """

    columns: IntArray
    scores: FloatArray
    model_scores: FloatArray
    names: tuple[str, ...]
    table: FloatArray | None = None


@dataclass(frozen=True, slots=True)
class ModelSchedule:
    """Each model's weight, and with its column: the models that propose candidates, and those that only score them.

    `early` and `late` hold only models with a weight; `all_early` also those without.
    """

    weights: FloatArray
    all_early: list[tuple[int, Recommender]]
    early: list[tuple[int, Recommender]]
    late: list[tuple[int, Recommender]]

    @classmethod
    def of(cls, models: Sequence[Recommender], blend: Blend, *, known: bool) -> Self:
        """Sort the models by what the blend gives them."""
        weights = blend.vector([model.name for model in models], known=known)
        cheap = [(part, model) for part, model in enumerate(models) if not model.scores_candidates_only]
        late = [(part, model) for part, model in enumerate(models) if model.scores_candidates_only and weights[part]]
        return cls(read_only(weights), cheap, [(part, model) for part, model in cheap if weights[part]], late)


@dataclass(slots=True)
class Scorer:
    """Models, blend and ranker as one; safe to use from several threads."""

    models: Sequence[Recommender]
    blend: Blend
    ranker: Ranker | None
    _known: ModelSchedule = field(init=False)
    _new: ModelSchedule = field(init=False)
    _own: threading.local = field(init=False, default_factory=threading.local)
    # The models' names, in the order of a pool's parts.
    names: tuple[str, ...] = field(init=False)

    def __post_init__(self) -> None:
        """Line the blend's weights up with the models, for customers with and without an order."""
        self.names = tuple(model.name for model in self.models)
        self._known, self._new = (ModelSchedule.of(self.models, self.blend, known=known) for known in (True, False))

    def weights(self, *, known: bool) -> FloatArray:
        """Return each model's weight, read-only, for customers with an order or for those without."""
        return (self._known if known else self._new).weights

    def pool(self, query: Query, allowed: Allowed, *, size: int) -> Pool:
        """Return the `size` best dishes (fewer where fewer are allowed), those no model knows after all others."""
        ranked = self.ranker is not None and self.ranker.serves(query)
        late = (self._known if query.known else self._new).late
        most = max(size, CANDIDATES) if ranked or late else size
        whole = ranked and self.ranker is not None and self.ranker.reads_all_models
        return self.order(query, allowed, self.candidates(query, allowed, most=most, whole=whole), size=size)

    def order(self, query: Query, allowed: Allowed, found: tuple[Board, IntArray, FloatArray], *, size: int) -> Pool:
        """Return the `size` best of the candidates that were found for the query."""
        board, rows, scores = found
        columns = board.columns[rows]
        if self.ranker is not None and self.ranker.serves(query) and len(rows):
            table = features(board, rows, scores, query, self.ranker.facts)
            scores = self.ranker.trees.predict(table)
            order = best_of(scores, columns, size, -np.inf)
            columns, scores, parts, seen = take_rows(order, columns, rows, scores, board.model_scores, table)
            pool = Pool(columns, scores, parts, self.names, seen)
        else:
            pool = Pool(columns[:size], scores[:size], board.model_scores[rows[:size]], self.names)
        return pool if len(columns) >= size else _with_unknown(pool, allowed, size)

    def candidates(
        self, query: Query, allowed: Allowed, *, most: int, whole: bool = False
    ) -> tuple[Board, IntArray, FloatArray]:
        """Return the board, its (at most `most`) rows that blend best, and their blended scores, best first.

        `whole` asks also the models without weight in the blend, unless they score candidates only. The board belongs
        to the calling thread and holds until its next call.
        """
        board = self._board()
        board.start(query)
        mask = allowed.mask
        if allowed.only is not None:
            mask = allowed.as_mask()
            board.add_columns(allowed.only, mask, len(allowed.only))
        asked = self._known if query.known else self._new
        early = asked.all_early if whole else asked.early
        for part, model in early:
            model.propose(query, board, part, mask)
        everyone = np.arange(board.n, dtype=np.int32)
        for part, model in early:
            model.score_candidates(query, board, part, everyone)
        rows, values = best_rows(
            board.model_scores, board.columns, board.row_of, board.n, asked.weights, mask, allowed.blocked, most
        )
        if not asked.late:
            return board, rows, values
        for part, model in asked.late:
            model.score_candidates(query, board, part, rows)
        blended = board.model_scores[rows] @ asked.weights
        order = best_of(blended, board.columns[rows], len(rows), -np.inf)
        return board, rows[order], blended[order]

    def _board(self) -> Board:
        board: Board | None = getattr(self._own, "board", None)
        if board is None:
            board = self._own.board = Board(self.models[0].n_items, len(self.models))
        return board


def _with_unknown(pool: Pool, allowed: Allowed, size: int) -> Pool:
    """Return the pool with allowed dishes no model speaks of added at its end, in the order of their columns."""
    rest = allowed.as_mask()
    rest[pool.columns] = False
    added = np.flatnonzero(rest)[: size - len(pool.columns)].astype(np.int32)
    if not len(added):
        return pool
    lowest = min(0.0, float(pool.scores.min(initial=0.0)))
    table = pool.table
    return Pool(
        np.concatenate([pool.columns, added]),
        np.concatenate([pool.scores, np.full(len(added), lowest, dtype=np.float32)]),
        np.concatenate([pool.model_scores, np.zeros((len(added), pool.model_scores.shape[1]), dtype=np.float32)]),
        pool.names,
        None if table is None else np.concatenate([table, np.full((len(added), table.shape[1]), np.nan, np.float32)]),
    )
