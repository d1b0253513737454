"""Churn: the calibrated probability of no order in the next N days, tested on a stretch of time it never saw.

the BG/NBD model's closed form is the start; trees over what is known at a moment (recency, frequency, own cadence,
value, discounts) learn what it misses, from moments at least N days back, whose outcome is known by now.
Probabilities are calibrated by isotonic regression on predictions for customers the trees had not seen. To judge, all
of it is done once more N days earlier.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from engine.customers.behaviour import cadence
from engine.customers.behaviour.purchases import OrderDays
from engine.customers.config import CustomerConfig
from engine.customers.forecast import bg_nbd
from engine.customers.forecast.calibration import Auc, Isotonic, ReliabilityBin, auc, brier, fit_isotonic, reliability
from engine.customers.forecast.lifetime_value import RecencyFrequency, recency_frequency_at
from engine.errors import NoHistory

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

CHURN_FEATURES = (
    "recency_days",
    "order_days",
    "age_days",
    "silence_ratio",
    "cadence_days",
    "expected_orders",
    "p_no_order",
    "recent_orders",
    "recent_orders_double",
    "value",
    "value_trend",
    "discount_share",
    "last_discounted",
    "weekend_share",
)
CHURN_FOLDS = 3
LEAST_SITUATIONS, LEAST_OUTCOMES = 200, 30
TREE_PARAMETERS = {
    "objective": "binary",
    "learning_rate": 0.05,
    "num_leaves": 8,
    "min_data_in_leaf": 40,
    "lambda_l2": 5.0,
    "feature_fraction": 0.8,
    "bagging_fraction": 0.8,
    "bagging_freq": 1,
    "seed": 7,
    "deterministic": True,
    "force_row_wise": True,
    "num_threads": 1,
    "verbosity": -1,
}
BOOSTING_ROUNDS = 80


@dataclass(frozen=True, slots=True)
class ChurnFeatures:
    """Features (customers, len(FEATURES)) of everybody in `recency`, as known at its day."""

    recency: RecencyFrequency
    features: Floats


@dataclass(frozen=True, slots=True)
class ChurnQuality:
    """How the model did on its test stretch, beside recency alone and expected orders alone."""

    cut_day: int
    horizon_days: int
    customers: int
    returned: int
    model: Auc
    recency_alone: Auc
    expected_orders_alone: Auc
    brier: float
    brier_base_rate: float
    reliability: tuple[ReliabilityBin, ...]


@dataclass(frozen=True, slots=True)
class ChurnModel:
    """A fitted model: trees as text and their curve; None where too little history leaves the BG/NBD model's own."""

    horizon_days: int
    trees: tuple[str, ...]
    curve: Isotonic | None
    quality: ChurnQuality | None
    note: str | None = None

    def p_no_order(self, known: ChurnFeatures) -> Floats:
        """Return the chance of no order in the next `horizon_days` of everybody in `known`."""
        if self.curve is None:
            return known.features[:, CHURN_FEATURES.index("p_no_order")]
        return 1 - self.curve(_raw_scores(self.trees, known.features))


def churn_features(
    days: OrderDays, day: int, horizon_days: int, model: bg_nbd.BgNbd | None, population: cadence.PopulationCadence
) -> ChurnFeatures:
    """Return what is known of everybody who ordered by the end of `day`; `days` may go beyond, it is not looked at."""
    past = days.until(day)
    now = recency_frequency_at(past, day)
    who = now.customer
    gaps = cadence.gaps_of(past)
    mean, spread = cadence.posterior_log_gap(population, gaps.n[who], gaps.log_sum[who])
    recency = now.t_days - now.tx_days
    ratio = (np.log(np.maximum(recency, 0.5)) - mean) / spread
    last = past.start[who + 1] - 1
    if model is None:
        expected = (now.x + 1) / (now.t_days + 30.0)
        silent = np.exp(-expected * horizon_days)
    else:
        data, which = bg_nbd.summarise(now.x, now.tx_days, now.t_days)
        expected = bg_nbd.expected_orders(model, data, horizon_days)[which]
        silent = bg_nbd.p_no_order(model, data, horizon_days)[which]
    known_value = np.where(np.isfinite(past.value), past.value, 0.0)
    worth = _mean(past, known_value, np.isfinite(past.value))[who]
    everything = np.ones(len(past.day), np.bool_)
    columns = (
        recency, now.x + 1, now.t_days, ratio, np.exp(mean), expected, silent,
        np.bincount(past.customer, past.day > day - horizon_days, minlength=past.n)[who],
        np.bincount(past.customer, past.day > day - 2 * horizon_days, minlength=past.n)[who],
        worth, past.value[last] / np.where(worth > 0, worth, np.nan),
        _mean(past, past.discounted, everything)[who], past.discounted[last],
        _mean(past, ((past.day + 3) % 7 >= 5).astype(np.float64), everything)[who],
    )  # fmt: skip
    return ChurnFeatures(now, np.column_stack([np.asarray(each, np.float64) for each in columns]))


def ordered_after(days: OrderDays, known: ChurnFeatures, horizon_days: int) -> Bools:
    """Return who of `known` ordered in the `horizon_days` after its day."""
    after = (days.day > known.recency.day) & (days.day <= known.recency.day + horizon_days)
    return np.bincount(days.customer, after, minlength=days.n)[known.recency.customer] > 0


def fit_churn_model(
    days: OrderDays, day: int, horizon_days: int, config: CustomerConfig, model: bg_nbd.BgNbdVariant
) -> ChurnModel:
    """Learn from moments up to `horizon_days` before `day`, and judge the same procedure one horizon earlier."""
    sample = _sampled(days, config.returning.sample)
    try:
        trees, curve = _fit_trees_and_calibration(sample, day, horizon_days, model)
    except NoHistory as error:
        return ChurnModel(horizon_days, (), None, None, error.message)
    try:
        quality = evaluate_churn(sample, day, horizon_days, model)
    except NoHistory as error:
        return ChurnModel(horizon_days, trees, curve, None, f"not judged: {error.message}")
    return ChurnModel(horizon_days, trees, curve, quality)


def evaluate_churn(days: OrderDays, day: int, horizon_days: int, model: bg_nbd.BgNbdVariant) -> ChurnQuality:
    """Learn from what was known `horizon_days` before `day`, then forecast the stretch up to `day`.

    Raises NoHistory where the older history is too short to learn from.
    """
    cut = day - horizon_days
    trees, curve = _fit_trees_and_calibration(days.until(cut), cut, horizon_days, model)
    known = churn_features(days, cut, horizon_days, *_fit_before(days, cut, model))
    came = ordered_after(days, known, horizon_days)
    chance = curve(_raw_scores(trees, known.features))
    feature = {name: known.features[:, i] for i, name in enumerate(CHURN_FEATURES)}
    base = float(came.mean())
    return ChurnQuality(
        cut,
        horizon_days,
        len(came),
        int(came.sum()),
        auc(chance, came),
        auc(-feature["recency_days"], came),
        auc(feature["expected_orders"], came),
        brier(chance, came),
        base * (1 - base),
        reliability(chance, came),
    )


def _fit_trees_and_calibration(
    days: OrderDays, day: int, horizon_days: int, model: bg_nbd.BgNbdVariant
) -> tuple[tuple[str, ...], Isotonic]:
    """Return trees (one part per fold, to be averaged) and curve from moments whose outcome is known at `day`."""
    first = int(days.day.min()) if len(days.day) else day
    moments = [cut for cut in (day - horizon_days, day - horizon_days * 3 // 2) if cut - first >= horizon_days / 2]
    knowns = [churn_features(days, cut, horizon_days, *_fit_before(days, cut, model)) for cut in moments]
    outcomes = [ordered_after(days, known, horizon_days) for known in knowns]
    n = sum(len(each) for each in outcomes)
    came = sum(int(each.sum()) for each in outcomes)
    if n < LEAST_SITUATIONS or min(came, n - came) < LEAST_OUTCOMES:
        raise NoHistory(
            f"too little history to learn who returns within {horizon_days} days: {n} past situations, {came} returns; "
            "the BG/NBD model's probability is used as it is"
        )
    X = np.vstack([known.features for known in knowns])
    y = np.concatenate(outcomes)
    # The same customer stays in one fold over all moments: otherwise the outcome of one moment leaks into another.
    fold = np.concatenate([known.recency.customer for known in knowns]) * 2_654_435_761 % 2**32 * CHURN_FOLDS // 2**32
    raw = np.empty(len(y))
    trees = tuple(_fit_trees(X[fold != each], y[fold != each]) for each in range(CHURN_FOLDS))
    for each in range(CHURN_FOLDS):
        raw[fold == each] = _raw_scores((trees[each],), X[fold == each])
    # The newest moment alone sets the level: habits drift, and it is the nearest to today.
    newest = slice(0, len(outcomes[0]))
    return trees, fit_isotonic(raw[newest], y[newest])


def _fit_before(
    days: OrderDays, cut: int, name: bg_nbd.BgNbdVariant
) -> tuple[bg_nbd.BgNbd | None, cadence.PopulationCadence]:
    past = days.until(cut)
    now = recency_frequency_at(past, cut)
    try:
        fitted = bg_nbd.fit_bg_nbd(name, bg_nbd.summarise(now.x, now.tx_days, now.t_days)[0])
    except NoHistory:
        fitted = None
    return fitted, cadence.fit_population_cadence(past)


def _fit_trees(X: Floats, y: Bools) -> str:
    import lightgbm  # noqa: PLC0415 - only customer builds need it, never a request

    data = lightgbm.Dataset(X, y.astype(np.float64), init_score=_initial_log_odds(X), feature_name=list(CHURN_FEATURES))
    return str(lightgbm.train(TREE_PARAMETERS, data, num_boost_round=BOOSTING_ROUNDS).model_to_string())


def _raw_scores(trees: tuple[str, ...], features: Floats) -> Floats:
    import lightgbm  # noqa: PLC0415 - only customer builds need it, never a request

    learnt = np.zeros(len(features))
    for part in trees:
        learnt += np.asarray(lightgbm.Booster(model_str=part).predict(features, raw_score=True, num_threads=2))
    return learnt / len(trees) + _initial_log_odds(features)


def _initial_log_odds(features: Floats) -> Floats:
    """Return the BG/NBD model's log odds of an order, which the trees then mend."""
    silent = np.clip(features[:, CHURN_FEATURES.index("p_no_order")], 1e-3, 1 - 1e-4)
    odds: Floats = np.log1p(-silent) - np.log(silent)
    return odds


def _sampled(days: OrderDays, most: int) -> OrderDays:
    step = -(-days.n // most)
    return days if step <= 1 else days.only(np.arange(0, days.n, step))


def _mean(days: OrderDays, values: Floats, used: Bools) -> Floats:
    n = np.bincount(days.customer, used, minlength=days.n)
    total = np.bincount(days.customer, np.where(used, values, 0.0), minlength=days.n)
    mean: Floats = np.divide(total, n, out=np.full(days.n, np.nan), where=n > 0)
    return mean
