"""What a dish is like by its words: the only thing known of one that nobody has ordered."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Self

import numpy as np
import polars as pl
from scipy import sparse

from engine.models.arrays import Arrays, FloatArray, IntArray, LongArray
from engine.models.kernels.links import links

WORD = re.compile(r"[^\W\d_]+")
HAN = re.compile(r"[㐀-鿿豈-﫿]+")
PRICE_BANDS = 5
# A menu section or a kitchen tells more about a dish than one of the words of its name.
ATTRIBUTE_WEIGHT = 1.5
FIELDS = ("start", "tokens", "weight", "posting_start", "postings", "posting_weight")


@dataclass(slots=True)
class Content:
    """TF-IDF of name, category, cuisine and price band, compared by cosine (Salton and Buckley 1988).

    Chinese has no blanks: runs of Han characters count as overlapping pairs (Nie, Gao, Zhang and Zhou 2000). Row i
    holds the tokens of dish i, its length 1; the postings are the same by token. A dish without a word is a row of
    nothing.
    """

    start: LongArray = field(default_factory=lambda: np.zeros(1, np.int64))
    tokens: IntArray = field(default_factory=lambda: np.empty(0, np.int32))
    weight: FloatArray = field(default_factory=lambda: np.empty(0, np.float32))
    posting_start: LongArray = field(default_factory=lambda: np.zeros(1, np.int64))
    postings: IntArray = field(default_factory=lambda: np.empty(0, np.int32))
    posting_weight: FloatArray = field(default_factory=lambda: np.empty(0, np.float32))

    def fit(self, items: pl.DataFrame, item_ids: Sequence[str]) -> Self:
        """Learn from the items table (schema ITEMS), one row for each of `item_ids`, which are distinct."""
        row_of = {item_id: row for row, item_id in enumerate(item_ids)}
        bands = _price_bands(items["price_cents"])
        numbers: dict[str, int] = {}
        rows, columns, counts = [], [], []
        wanted = items.select("item_id", "name", "name_zh", "category", "cuisine").iter_rows()
        for (item_id, name, name_zh, category, cuisine), band in zip(wanted, bands, strict=True):
            if item_id not in row_of:
                continue
            found = [(token, 1.0) for text in dict.fromkeys((name, name_zh)) for token in words_of(text)]
            marks = (("category", category), ("cuisine", cuisine), ("price", band))
            found += [(f"{kind}={mark}", ATTRIBUTE_WEIGHT) for kind, mark in marks if mark is not None]
            for token, count in found:
                rows.append(row_of[item_id])
                columns.append(numbers.setdefault(token, len(numbers)))
                counts.append(count)
        counted = sparse.csr_array(
            sparse.coo_array((np.array(counts, np.float32), (rows, columns)), shape=(len(item_ids), len(numbers)))
        )
        self._weigh(counted)
        return self

    def similar_to(self, column: int) -> FloatArray:
        """Return (items,) float32: the cosine of each dish with dish `column`, 0 to 1."""
        own = slice(self.start[column], self.start[column + 1])
        return self.like(np.asarray(self.tokens[own]), np.asarray(self.weight[own]))

    def taste(self, columns: IntArray) -> FloatArray:
        """Return (items,) float32: the cosine of each dish with all of `columns` together; 0 where there are none."""
        _, tokens, weights = links(self.start, self.tokens, self.weight, columns)
        distinct, inverse = np.unique(tokens, return_inverse=True)
        total = np.bincount(inverse, weights=weights, minlength=len(distinct))
        length = float(np.sqrt((total**2).sum())) or 1.0
        return self.like(distinct.astype(np.int32), (total / length).astype(np.float32))

    def like(self, tokens: IntArray, weights: FloatArray) -> FloatArray:
        """Return (items,) float32: each dish's product with the given weights of tokens."""
        n_items = len(self.start) - 1
        _, items, found = links(self.posting_start, self.postings, self.posting_weight, tokens)
        times = np.repeat(weights, np.diff(self.posting_start)[tokens])
        return np.bincount(items, weights=found * times, minlength=n_items).astype(np.float32)

    def arrays(self) -> Arrays:
        """Return everything learned as named arrays, for the artifact."""
        return {name: getattr(self, name) for name in FIELDS}

    @classmethod
    def from_arrays(cls, arrays: Arrays) -> Self:
        """Rebuild from `arrays()`, memory-mapped or not."""
        return cls(**{name: arrays[name] for name in FIELDS})  # type: ignore[arg-type]

    def _weigh(self, counted: sparse.csr_array) -> None:
        """Weigh tokens by how rare they are, make every row's length 1, and keep both directions."""
        holders = np.bincount(counted.indices, minlength=counted.shape[1])
        idf = np.log((1 + counted.shape[0]) / (1 + holders)) + 1
        values = (1 + np.log(counted.data)) * idf[counted.indices]
        row = np.repeat(np.arange(counted.shape[0]), np.diff(counted.indptr))
        length = np.sqrt(np.bincount(row, weights=values**2, minlength=counted.shape[0]))
        values = (values / np.maximum(length[row], 1e-9)).astype(np.float32)
        rows = sparse.csr_array((values, counted.indices, counted.indptr), shape=counted.shape)
        by_token = sparse.csr_array(rows.T)
        self.start, self.tokens, self.weight = rows.indptr.astype(np.int64), rows.indices.astype(np.int32), rows.data
        self.posting_start = by_token.indptr.astype(np.int64)
        self.postings, self.posting_weight = by_token.indices.astype(np.int32), by_token.data.astype(np.float32)


def words_of(text: str | None) -> Iterator[str]:
    """Yield the words of a name in lower case, Han characters in overlapping pairs (a single one alone)."""
    if not text:
        return
    folded = unicodedata.normalize("NFKC", text).casefold()
    for run in HAN.findall(folded):
        yield from (run[i : i + 2] for i in range(max(len(run) - 1, 1)))
    yield from WORD.findall(HAN.sub(" ", folded))


def _price_bands(prices: pl.Series) -> list[int | None]:
    """Return which fifth of all prices each falls into, None where it has none."""
    known = prices.drop_nulls().to_numpy()
    if not len(known):
        return [None] * len(prices)
    edges = np.quantile(known, np.linspace(0, 1, PRICE_BANDS + 1)[1:-1])
    return [None if price is None else int(np.searchsorted(edges, price)) for price in prices.to_list()]
