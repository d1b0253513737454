"""Judge models and their blend on held-out baskets: all, repeat and explore parts, with 95 % intervals."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from threading import Lock
from typing import Any

import numpy as np
import numpy.typing as npt

from engine.models.arrays import FloatArray, IntArray
from engine.models.baskets import Baskets, user_items
from engine.models.kernels.best import best_of
from engine.models.kernels.top import top_k
from engine.recommend.scoring.allowed import Allowed
from engine.recommend.scoring.scorer import CANDIDATES, Scorer
from engine.runtime.threads import parallel_map
from training.data.matrices import TrainingSet
from training.data.split import Target, chunks
from training.judge.groups import Group, Standing, groups_of, truth_parts
from training.learn.stack import Learned
from training.metrics import (
    Judged,
    Truth,
    coverage,
    exposure,
    gini,
    judge_by,
    lorenz,
    mean_and_error,
    novelty,
    popularity,
    popularity_percentiles,
)
from training.metrics import intervals as resampled

BLEND, RANKER = "blend", "ranker"
GROUP_METRICS = ("recall", "ndcg", "hit")
Advance = Callable[[int], None]


@dataclass(frozen=True, slots=True)
class Evaluation:
    """Every model's lists judged against the same targets at k; `judged[name]` aligns with the targets.

    `parts[name]` judges the same lists against only the rare, and only the common, dishes of each target. Models alone
    are judged on `alone` of the targets, and have NaN for the others.
    """

    k: int
    targets: Sequence[Target]
    judged: Mapping[str, Judged]
    parts: Mapping[str, Mapping[str, Judged]]
    groups: Sequence[Group]
    beyond: Mapping[str, Mapping[str, float | None]]
    exposure: Mapping[str, Any]
    served: str
    seed: int
    alone: int

    @property
    def metric(self) -> str:
        """The figure that decides."""
        return f"ndcg@{self.k}"

    @property
    def singles(self) -> list[str]:
        """The models judged alone."""
        return [name for name in self.judged if name not in {BLEND, RANKER}]

    def as_dict(self) -> dict[str, Any]:
        """Return the JSON form: figures and intervals by model and by group, and the paired comparisons."""
        rng = np.random.default_rng([self.seed, 7])
        models = {name: {**judged.means(), **self.beyond[name]} for name, judged in self.judged.items()}
        # One draw of customers serves every model: the draws cost more than the figures.
        bounds = iter(resampled(np.concatenate([judged.values for judged in self.judged.values()], axis=1), rng))
        intervals = {name: {metric: next(bounds) for metric in judged.metrics} for name, judged in self.judged.items()}
        returning = sum(1 for target in self.targets if target.query.known)
        best = self.best_single()
        pairs = [(self.served, BLEND), (self.served, best), (BLEND, best)]
        return {
            "customers": len(self.targets),
            "customers_alone": self.alone,
            "returning": returning,
            "new": len(self.targets) - returning,
            "k": self.k,
            "served": self.served,
            "models": models,
            "intervals": intervals,
            "against_best_single": self.compare([(self.served, best)])[0],
            "comparisons": self.compare([pair for pair in dict.fromkeys(pairs) if pair[0] != pair[1]]),
            "groups": self.group_figures(),
            "exposure": dict(self.exposure),
        }

    def best_single(self) -> str:
        """Return the model that is best alone, over all targets."""
        means = {name: self.judged[name].means()[self.metric] or 0.0 for name in self.singles}
        return max(means, key=lambda name: means[name])

    def compare(self, pairs: Sequence[tuple[str, str]]) -> list[dict[str, Any]]:
        """Return, by pair, the mean of the first minus the second on the same customers, with its 95 % interval."""
        if not pairs:
            return []
        columns = {name: self.judged[name].column(self.metric) for pair in pairs for name in pair}
        differences = np.stack([columns[ours] - columns[theirs] for ours, theirs in pairs], axis=1)
        bounds = resampled(differences, np.random.default_rng([self.seed, 8]))
        return [
            {
                "ours": ours,
                "model": theirs,
                "metric": self.metric,
                "customers": mean_and_error(difference)[0],
                "difference": mean_and_error(difference)[1],
                "interval": interval,
            }
            for (ours, theirs), difference, interval in zip(pairs, differences.T, bounds, strict=True)
        ]

    def group_figures(self) -> list[dict[str, Any]]:
        """Return, by group, what is served with 95 % intervals, and the model of its own that presses it hardest.

        `error` is the standard error of the deciding figure. `hardest_single` is the single model whose mean paired
        difference is lowest in standard errors; whoever tests it tests the best of `singles` models.
        """
        names = [f"{name}@{self.k}" for name in GROUP_METRICS]
        views = list(self._views())
        wide = [judged[self.served].column(name) for _, judged in views for name in names]
        masked_values = np.full((len(self.targets), len(wide)), np.nan)
        for i, (group, _) in enumerate(views):
            for j in range(i * len(names), (i + 1) * len(names)):
                masked_values[group.members, j] = wide[j][group.members]
        bounds = resampled(masked_values, np.random.default_rng([self.seed, 9])) if wide else []
        found = []
        for i, (group, judged) in enumerate(views):
            own = slice(i * len(names), (i + 1) * len(names))
            served = masked_values[:, own][:, names.index(self.metric)]
            n, _, error = mean_and_error(served)
            means = [mean_and_error(column)[1] for column in masked_values[:, own].T]
            found.append(
                {
                    "kind": group.kind,
                    "name": group.name,
                    "customers": n,
                    "figures": dict(zip(names, means, strict=True)),
                    "intervals": dict(zip(names, bounds[own], strict=True)),
                    "error": error,
                    "singles": len(self.singles),
                    "hardest_single": self._hardest(served, judged),
                }
            )
        return found

    def _views(self) -> Iterator[tuple[Group, Mapping[str, Judged]]]:
        for group in self.groups:
            yield group, self.judged
        for name, judged in self.parts.items():
            applies = ~np.isnan(judged[self.served].column(self.metric))
            if applies.any():
                yield Group("dishes", name, applies), judged

    def _hardest(self, served: npt.NDArray[np.float64], judged: Mapping[str, Judged]) -> dict[str, Any] | None:
        pressed: list[tuple[float, dict[str, Any]]] = []
        for name in self.singles:
            n, difference, error = mean_and_error(served - judged[name].column(self.metric))
            if difference is None or error is None:
                continue
            # Without any spread all customers agree; only the sign is left.
            steps = difference / error if error else np.sign(difference) * np.inf if difference else 0.0
            pressed.append((steps, {"model": name, "customers": n, "difference": difference, "error": error}))
        return min(pressed, key=lambda each: each[0])[1] if pressed else None


def evaluate(
    learned: Learned,
    data: TrainingSet,
    past: Baskets,
    targets: Sequence[Target],
    *,
    k: int,
    seed: int,
    advance: Advance,
    standing: Standing | None = None,
    most_alone: int | None = None,
) -> Evaluation:
    """Judge every model, the blend and the ranker on `targets`, all items being candidates.

    Where a target says the vendor, only dishes of that vendor are, and where nobody orders again (`data.repeats`) only
    dishes new to the customer, for every model alike. `past` is what the models were fitted on (for novelty and
    popularity); `advance` is called with how many targets are done; `standing` adds groups. Models alone are judged on
    at most `most_alone` targets, drawn evenly (None: on all): each takes its time, and only what is served decides.
    """
    alone = np.ones(len(targets), dtype=bool)
    if most_alone is not None and most_alone < len(targets):
        alone[np.random.default_rng([seed, 93]).choice(len(targets), len(targets) - most_alone, replace=False)] = False
    lists = _lists(learned, data, targets, alone, k, advance)
    customers_with = np.bincount(user_items(past).indices, minlength=past.n_items)
    active = int((np.diff(past.customer_start) > 0).sum())
    percentiles = popularity_percentiles(customers_with)
    parts_of_truth = truth_parts(targets, np.bincount(past.items, minlength=past.n_items))
    ordered = np.concatenate([target.truth for target in targets]) if targets else np.empty(0, np.int32)
    return Evaluation(
        k=k,
        targets=targets,
        judged=_judged(lists, targets, k, alone),
        parts={name: _judged(lists, some, k, alone) for name, some in parts_of_truth.items()},
        groups=groups_of(targets, data, standing or {}),
        # How many dishes lists show depends on how many lists there are: of every model as many.
        beyond={name: _like(part[alone], k, customers_with, active, percentiles) for name, part in lists.items()},
        exposure={
            "served": lorenz(exposure(lists[learned.served], k, past.n_items)) if targets else None,
            "ordered": lorenz(np.bincount(ordered, minlength=past.n_items)),
            "popularity_of_ordered": popularity(ordered, percentiles),
        },
        served=learned.served,
        seed=seed,
        alone=int(alone.sum()),
    )


def _lists(
    learned: Learned,
    data: TrainingSet,
    targets: Sequence[Target],
    alone: npt.NDArray[np.bool_],
    k: int,
    advance: Advance,
) -> dict[str, IntArray]:
    """Return (targets, k) columns by name, -1 where there are fewer; of models only where `alone`."""
    allowed, again = _items_by_vendor(data), data.repeats
    # A model that could score every dish is judged on every dish; the others on the few they score.
    scores_candidates_only = [model for model in learned.models if model.scores_candidates_only]
    free = again and all(target.query.place.vendor < 0 for target in targets)
    names = [model.name for model in learned.models] + [BLEND] + ([RANKER] if learned.ranker else [])
    lists = {name: np.full((len(targets), k), -1, dtype=np.int32) for name in names}
    if free:
        for model in scores_candidates_only:
            lists[model.name][alone] = model.best(
                [target.query for target, asked in zip(targets, alone, strict=True) if asked], k
            )
    heard = Lock()

    def look(some: npt.NDArray[np.intp]) -> None:
        own = [targets[i] for i in some]
        if alone[some[0]] and not free:
            scores = {model.name: model.score([target.query for target in own]) for model in scores_candidates_only}
            for name, part in _filtered(scores, own, allowed, repeats=again).items():
                lists[name][some] = top_k(part, k)
        for name, found in _from_one_board(learned, own, allowed, k, repeats=again, alone=bool(alone[some[0]])).items():
            lists[name][some] = found
        with heard:
            advance(len(some))

    parts = (np.flatnonzero(alone), np.flatnonzero(~alone))
    parallel_map(look, [part[some.start : some.stop] for part in parts for some in chunks(len(part))])
    return lists


def _judged(
    lists: Mapping[str, IntArray], targets: Sequence[Target], k: int, alone: npt.NDArray[np.bool_]
) -> dict[str, Judged]:
    truth = Truth.of(targets)
    judged = {name: judge_by(part, truth, k) for name, part in lists.items()}
    for name in judged.keys() - {BLEND, RANKER}:
        judged[name].values[~alone] = np.nan
    return judged


def _like(
    lists: IntArray,
    k: int,
    customers_with: npt.NDArray[np.integer],
    active: int,
    percentiles: npt.NDArray[np.float64],
) -> dict[str, float | None]:
    """Return what a model's lists are like, whatever was ordered."""
    n_items = len(customers_with)
    return {
        f"coverage@{k}": coverage(lists, k, n_items),
        f"novelty@{k}": novelty(lists, k, customers_with, active),
        f"gini@{k}": gini(exposure(lists, k, n_items)),
        f"popularity@{k}": popularity(lists[:, :k], percentiles),
    }


def lists_of(learned: Learned, data: TrainingSet, targets: Sequence[Target], k: int) -> IntArray:
    """Return (targets, k) columns of what is served, best first; -1 where there are fewer."""
    scorer, allowed = Scorer(learned.models, learned.blend, learned.ranker), _items_by_vendor(data)
    everything = Allowed.everything(learned.models[0].n_items)
    lists = np.full((len(targets), k), -1, dtype=np.int32)
    for i, target in enumerate(targets):
        filters = _filters(everything, target, allowed, repeats=data.repeats)
        columns = scorer.pool(target.query, filters, size=k).columns
        lists[i, : len(columns)] = columns
    return lists


def _items_by_vendor(data: TrainingSet) -> dict[int, npt.NDArray[np.int32]]:
    pairs = data.vendor_items.partition_by("vendor", as_dict=True)
    return {int(key[0]): part["item"].to_numpy() for key, part in pairs.items()}


def _from_one_board(
    learned: Learned,
    targets: Sequence[Target],
    allowed: Mapping[int, npt.NDArray[np.int32]],
    k: int,
    *,
    repeats: bool,
    alone: bool,
) -> dict[str, IntArray]:
    """Return (targets, k) columns by name, -1 where there are fewer: of the blend, the ranker, and each model `alone`.

    Otherwise only models are asked that weigh something, or that the ranker reads.
    """
    plain, ranked = Scorer(learned.models, learned.blend, None), None
    if learned.ranker is not None:
        ranked = Scorer(learned.models, learned.blend, learned.ranker)
    whole = alone or (learned.ranker is not None and learned.ranker.reads_all_models)
    everything = Allowed.everything(learned.models[0].n_items)
    parts = [
        (part, model.name) for part, model in enumerate(learned.models) if alone and not model.scores_candidates_only
    ]
    names = [name for _, name in parts] + [BLEND] + ([RANKER] if ranked else [])
    lists = {name: np.full((len(targets), k), -1, dtype=np.int32) for name in names}
    for i, target in enumerate(targets):
        filters = _filters(everything, target, allowed, repeats=repeats)
        found = plain.candidates(target.query, filters, most=max(k, CANDIDATES), whole=whole)
        best = {BLEND: plain.order(target.query, filters, found, size=k).columns}
        if ranked is not None:
            best[RANKER] = ranked.order(target.query, filters, found, size=k).columns
        board = found[0]
        columns = board.columns[: board.n]
        fine = filters.let_through(columns) if parts else np.empty(0, bool)
        for part, name in parts:
            said = np.where(fine, board.model_scores[: board.n, part], np.float32(0))
            best[name] = columns[best_of(said, columns, k, 0.0)]
        for name, chosen in best.items():
            lists[name][i, : len(chosen)] = chosen
    return lists


def _filters(
    everything: Allowed, target: Target, allowed: Mapping[int, npt.NDArray[np.int32]], *, repeats: bool
) -> Allowed:
    only = allowed.get(target.query.place.vendor)
    return replace(everything, only=only).asked_by(target.query, repeats=repeats)


def _filtered(
    parts: dict[str, FloatArray],
    targets: Sequence[Target],
    allowed: Mapping[int, npt.NDArray[np.int32]],
    *,
    repeats: bool,
) -> dict[str, FloatArray]:
    """Return the scores with NaN for what may not be shown.

    That is dishes of other vendors, where a target says the vendor, and dishes the customer has had, where nobody
    `repeats`.
    """
    if not parts:
        return parts
    keep = np.ones((len(targets), next(iter(parts.values())).shape[1]), dtype=bool)
    for i, target in enumerate(targets):
        if target.query.place.vendor in allowed:
            keep[i] = False
            keep[i, allowed[target.query.place.vendor]] = True
        if not repeats:
            keep[i, target.query.items] = False
    return {name: np.where(keep, part, np.float32(np.nan)) for name, part in parts.items()}
