"""Factors of taste: implicit-feedback alternating least squares, customers folded in at query time."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import ClassVar, Self

import numpy as np
import numpy.typing as npt
from scipy import sparse

from engine.errors import NoHistory
from engine.models.arrays import Arrays, FloatArray, IntArray, Rows, read_only
from engine.models.base import HasFactors, Opinion, Recommender, Tunable
from engine.models.baskets import Baskets, user_items
from engine.models.board import Board
from engine.models.kernels.board_rows import COUNT
from engine.models.kernels.factorise import factorise, first_guess
from engine.models.kernels.fold_in import fold_in_all, fold_in_one
from engine.models.kernels.nearest import Nearest
from engine.models.query import Query
from engine.runtime.threads import cores

# A fit that goes on from another takes a fifth of the rounds.
GOING_ON = 5
# Of large homes a quarter of the customers take half of the rounds alone, and everybody an eighth after them.
SAMPLE, LEAST_SAMPLED, GOING_ON_LARGE = 0.25, 25_000, 8


# From which predicted preference on a dish matches a taste.
TASTE = 0.1


@dataclass(slots=True)
class Als(Recommender):
    """Hu, Koren and Volinsky (2008), fitted by conjugate gradient, see `factorise`.

    Only item factors are published: a customer's factors are solved from their own baskets at each query, so that an
    order of a minute ago counts like one from training. Confidence is `alpha` * baskets that hold the item, 1 where
    there is none.
    """

    scores_candidates_only: ClassVar[bool] = True

    name: ClassVar[str] = "als"
    default_weight: ClassVar[float] = 0.05
    reason: ClassVar[str] = "your_taste"
    similarity_share: ClassVar[float] = 0.4
    tunables: ClassVar[Mapping[str, Tunable]] = {
        "factors": Tunable("Length of the factors.", 8, 128, whole=True, log=True),
        "regularization": Tunable("Pull towards 0.", 0.01, 200, log=True),
        "alpha": Tunable("Confidence a basket adds.", 0.5, 100, log=True),
    }
    factors: int = 64
    regularization: float = 5.0
    alpha: float = 10.0
    iterations: int = 15
    item_factors: FloatArray = field(default_factory=lambda: np.empty((0, 0), np.float32))
    gram: FloatArray = field(default_factory=lambda: np.empty((0, 0), np.float32))
    # What the last fit found, for one that goes on from it.
    user_factors: FloatArray = field(default_factory=lambda: np.empty((0, 0), np.float32), repr=False)

    def fit(self, baskets: Baskets, *, now: int, rng: np.random.Generator) -> Self:
        """Factorise baskets-per-item counts; `rng` seeds the start, so equal input gives equal factors.

        A model that goes on from one of as many customers and items takes a fifth of the rounds. From 100,000 customers
        on it takes an eighth, and the first fit as many after half of the rounds with a quarter of them, drawn.

        Raises NoHistory if there is no basket.
        """
        if not baskets.n_baskets:
            raise NoHistory("no basket to learn from; import orders with items first")
        matrix, rounds = user_items(baskets), self.iterations
        large = matrix.shape[0] * SAMPLE >= LEAST_SAMPLED
        last = math.ceil(rounds / (GOING_ON_LARGE if large else GOING_ON))
        shapes = [(rows, self.factors) for rows in matrix.shape]
        if [self.user_factors.shape, self.item_factors.shape] == shapes:
            users, items, rounds = self.user_factors, self.item_factors, last
        else:
            users, items = (first_guess(rows, self.factors, rng) for rows in matrix.shape)
        if rounds > last and large:
            # Items' factors are found as well from some customers; everybody's then follow in a few rounds.
            drawn = np.sort(rng.choice(matrix.shape[0], int(matrix.shape[0] * SAMPLE), replace=False))
            users[drawn], items = self._factorise(matrix[drawn], (users[drawn], items), math.ceil(rounds / 2))
            rounds = last
        self.user_factors, items = self._factorise(matrix, (users, items), rounds)
        self.item_factors = read_only(items)
        self.gram = self._gram()
        return self

    def _factorise(
        self, matrix: sparse.csr_matrix, start: tuple[FloatArray, FloatArray], rounds: int
    ) -> tuple[FloatArray, FloatArray]:
        return factorise(matrix, start, regularization=self.regularization, alpha=self.alpha, rounds=rounds)

    def warm_start(self, earlier: Recommender) -> None:
        """Start the next `fit` from the factors of an earlier one, of as many customers and items."""
        if isinstance(earlier, Als):
            self.user_factors, self.item_factors = earlier.user_factors, earlier.item_factors

    def propose(self, query: Query, board: Board, part: int, mask: npt.NDArray[np.bool_]) -> None:
        """Propose no dish: a vector scores every one, see `score_candidates`."""

    def score_candidates(self, query: Query, board: Board, part: int, rows: IntArray) -> None:
        """Write the predicted preference, about 0 to 1, for dishes that others brought; nothing for a stranger."""
        if query.known:
            own = board.own_columns()
            factors = self.fold_in(own, board.own[: board.n_own, COUNT].copy())
            board.model_scores[rows, part] = self.item_factors[board.columns[rows]] @ factors

    def score(self, queries: Sequence[Query]) -> FloatArray:
        """Return (queries, items) float32: predicted preference, about 0 to 1; a row of NaN for an unknown customer."""
        scores = np.full((len(queries), len(self.item_factors)), np.nan, dtype=np.float32)
        for i, query in enumerate(queries):
            if query.known:
                columns, counts = np.unique(query.items, return_counts=True)
                scores[i] = self.item_factors @ self.fold_in(columns.astype(np.int32), counts.astype(np.float32))
        return scores

    def best(self, queries: Sequence[Query], k: int) -> IntArray:
        """Return the k items of each query with the greatest predicted preference; -1 for an unknown customer."""
        found = np.full((len(queries), k), -1, dtype=np.int32)
        known = np.flatnonzero([query.known for query in queries])
        if len(known):
            own = [queries[at].items for at in known.tolist()]
            start = np.concatenate([[0], np.cumsum([len(items) for items in own])])
            ones = np.ones(start[-1], dtype=np.float32)
            counts = sparse.csr_array((ones, np.concatenate(own), start), shape=(len(own), self.n_items))
            counts.sum_duplicates()
            found[known] = Nearest.of(self.item_factors).best(self.fold_in_all(Rows.of(counts)), k, threads=cores())[0]
        return found

    def fold_in(self, columns: IntArray, counts: FloatArray) -> FloatArray:
        """Return the (factors,) vector of a customer who has `counts` baskets with each of `columns`."""
        return fold_in_one(self.gram, self.item_factors, columns, counts, np.float32(self.alpha))

    def fold_in_all(self, counts: Rows) -> FloatArray:
        """Return (rows, factors): the vector of each customer, whose baskets with each item `counts` holds as a row.

        A row without items gives zeros. Threads may each fold in rows of their own.
        """
        return fold_in_all(
            self.gram, self.item_factors, counts.start, counts.columns, counts.values, np.float32(self.alpha)
        )

    def factors_of(self) -> HasFactors:
        """Return itself."""
        return self

    def opinion(self, query: Query) -> Opinion:
        """Return what makes a preference a match of tastes."""
        return Opinion(TASTE)

    def similar_items(self, column: int) -> FloatArray:
        """Return (items,) the cosine of each item's factors with those of `column`, 0 to 1."""
        own = self.item_factors[column]
        length = np.sqrt(np.einsum("if,if->i", self.item_factors, self.item_factors)) * float(np.sqrt(own @ own))
        return np.asarray(np.clip(self.item_factors @ own / np.maximum(length, 1e-9), 0, 1))

    def arrays(self) -> dict[str, npt.NDArray[np.generic]]:
        """Return the item factors and the settings."""
        return {
            "item_factors": self.item_factors,
            "settings": np.array([self.regularization, self.alpha, self.iterations], dtype=np.float64),
        }

    @property
    def n_items(self) -> int:
        """How many items it was fitted on."""
        return len(self.item_factors)

    @classmethod
    def from_arrays(cls, arrays: Arrays) -> Self:
        """Rebuild from `arrays()`; the Gram matrix is made anew."""
        regularization, alpha, iterations = (float(value) for value in arrays["settings"])
        factors = arrays["item_factors"]
        model = cls(
            factors=factors.shape[1],
            regularization=regularization,
            alpha=alpha,
            iterations=int(iterations),
            item_factors=factors,  # type: ignore[arg-type]
        )
        model.gram = model._gram()
        return model

    def _gram(self) -> FloatArray:
        gram = self.item_factors.T @ self.item_factors
        return read_only((gram + self.regularization * np.eye(gram.shape[0])).astype(np.float32))
