"""Will she order in the next N days? A calibrated probability, judged on a stretch of time it never saw.

The buying model's closed form is the start; trees over what is known at a moment (recency, frequency, own rhythm,
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
from engine.customers.forecast import bg_nbd as buying
from engine.customers.forecast.calibration import Auc, Bin, Isotonic, auc, brier, calibrate, reliability
from engine.customers.forecast.lifetime_value import Recency, recency_at
from engine.errors import NoHistory

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

FEATURES = (
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
FOLDS = 3
LEAST_CUSTOMERS, LEAST_OUTCOMES = 200, 30
TREES = {
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
ROUNDS = 80


@dataclass(frozen=True, slots=True)
class Known:
    """Features (customers, len(FEATURES)) of everybody in `recency`, as known at its day."""

    recency: Recency
    features: Floats


@dataclass(frozen=True, slots=True)
class Quality:
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
    reliability: tuple[Bin, ...]


@dataclass(frozen=True, slots=True)
class ReturnModel:
    """A fitted model: trees as text and their curve; None where too little history leaves the buying model's own."""

    horizon_days: int
    trees: tuple[str, ...]
    curve: Isotonic | None
    quality: Quality | None
    note: str | None = None

    def p_no_order(self, known: Known) -> Floats:
        """Return the chance of no order in the next `horizon_days` of everybody in `known`."""
        if self.curve is None:
            return known.features[:, FEATURES.index("p_no_order")]
        return 1 - self.curve(_raw(self.trees, known.features))


def know(days: OrderDays, day: int, horizon_days: int, model: buying.Buying | None, rhythm: cadence.Rhythm) -> Known:
    """Return what is known of everybody who ordered by the end of `day`; `days` may go beyond, it is not looked at."""
    past = days.until(day)
    now = recency_at(past, day)
    who = now.customer
    gaps = cadence.gaps_of(past)
    mean, spread = cadence.belief(rhythm, gaps.n[who], gaps.log_sum[who])
    recency = now.t_days - now.tx_days
    ratio = (np.log(np.maximum(recency, 0.5)) - mean) / spread
    last = past.start[who + 1] - 1
    if model is None:
        expected = (now.x + 1) / (now.t_days + 30.0)
        silent = np.exp(-expected * horizon_days)
    else:
        data, which = buying.summarise(now.x, now.tx_days, now.t_days)
        expected = buying.expected_orders(model, data, horizon_days)[which]
        silent = buying.p_no_order(model, data, horizon_days)[which]
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
    return Known(now, np.column_stack([np.asarray(each, np.float64) for each in columns]))


def returned(days: OrderDays, known: Known, horizon_days: int) -> Bools:
    """Return who of `known` ordered in the `horizon_days` after its day."""
    after = (days.day > known.recency.day) & (days.day <= known.recency.day + horizon_days)
    return np.bincount(days.customer, after, minlength=days.n)[known.recency.customer] > 0


def fit_return_model(
    days: OrderDays, day: int, horizon_days: int, config: CustomerConfig, model: buying.ModelName
) -> ReturnModel:
    """Learn from moments up to `horizon_days` before `day`, and judge the same procedure one horizon earlier."""
    sample = _sampled(days, config.returning.sample)
    try:
        trees, curve = _learn(sample, day, horizon_days, model)
    except NoHistory as error:
        return ReturnModel(horizon_days, (), None, None, error.message)
    try:
        quality = judge(sample, day, horizon_days, model)
    except NoHistory as error:
        return ReturnModel(horizon_days, trees, curve, None, f"not judged: {error.message}")
    return ReturnModel(horizon_days, trees, curve, quality)


def judge(days: OrderDays, day: int, horizon_days: int, model: buying.ModelName) -> Quality:
    """Learn from what was known `horizon_days` before `day`, then forecast the stretch up to `day`.

    Raises NoHistory where the older history is too short to learn from.
    """
    cut = day - horizon_days
    trees, curve = _learn(days.until(cut), cut, horizon_days, model)
    known = know(days, cut, horizon_days, *_learnt_before(days, cut, model))
    came = returned(days, known, horizon_days)
    chance = curve(_raw(trees, known.features))
    feature = {name: known.features[:, i] for i, name in enumerate(FEATURES)}
    base = float(came.mean())
    return Quality(
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


def _learn(days: OrderDays, day: int, horizon_days: int, model: buying.ModelName) -> tuple[tuple[str, ...], Isotonic]:
    """Return trees (one part per fold, to be averaged) and curve from moments whose outcome is known at `day`."""
    first = int(days.day.min()) if len(days.day) else day
    moments = [cut for cut in (day - horizon_days, day - horizon_days * 3 // 2) if cut - first >= horizon_days / 2]
    knowns = [know(days, cut, horizon_days, *_learnt_before(days, cut, model)) for cut in moments]
    outcomes = [returned(days, known, horizon_days) for known in knowns]
    n = sum(len(each) for each in outcomes)
    came = sum(int(each.sum()) for each in outcomes)
    if n < LEAST_CUSTOMERS or min(came, n - came) < LEAST_OUTCOMES:
        raise NoHistory(
            f"too little history to learn who returns within {horizon_days} days: {n} past situations, {came} returns; "
            "the buying model's probability is used as it is"
        )
    X = np.vstack([known.features for known in knowns])
    y = np.concatenate(outcomes)
    # The same customer stays in one fold over all moments: her other self must not give her away.
    fold = np.concatenate([known.recency.customer for known in knowns]) * 2_654_435_761 % 2**32 * FOLDS // 2**32
    raw = np.empty(len(y))
    trees = tuple(_grow(X[fold != each], y[fold != each]) for each in range(FOLDS))
    for each in range(FOLDS):
        raw[fold == each] = _raw((trees[each],), X[fold == each])
    # The newest moment alone sets the level: habits drift, and it is the nearest to today.
    newest = slice(0, len(outcomes[0]))
    return trees, calibrate(raw[newest], y[newest])


def _learnt_before(days: OrderDays, cut: int, name: buying.ModelName) -> tuple[buying.Buying | None, cadence.Rhythm]:
    past = days.until(cut)
    now = recency_at(past, cut)
    try:
        fitted = buying.fit(name, buying.summarise(now.x, now.tx_days, now.t_days)[0])
    except NoHistory:
        fitted = None
    return fitted, cadence.learn_rhythm(past)


def _grow(X: Floats, y: Bools) -> str:
    import lightgbm  # noqa: PLC0415 - only customer builds need it, never a request

    data = lightgbm.Dataset(X, y.astype(np.float64), init_score=_start(X), feature_name=list(FEATURES))
    return str(lightgbm.train(TREES, data, num_boost_round=ROUNDS).model_to_string())


def _raw(trees: tuple[str, ...], features: Floats) -> Floats:
    import lightgbm  # noqa: PLC0415 - only customer builds need it, never a request

    learnt = np.zeros(len(features))
    for part in trees:
        learnt += np.asarray(lightgbm.Booster(model_str=part).predict(features, raw_score=True, num_threads=2))
    return learnt / len(trees) + _start(features)


def _start(features: Floats) -> Floats:
    """Return the buying model's log odds of an order, which the trees then mend."""
    silent = np.clip(features[:, FEATURES.index("p_no_order")], 1e-3, 1 - 1e-4)
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
