"""Which settings of the models serve this home's customers best? Searched inside the training window only.

The window ends where `regulars train` starts to judge. Its own last stretch is shared out among customers: one part
teaches the blend, one judges each trial, and one, which no trial sees, says at the end whether the best found is better
than the defaults. Trials go on where they were left, from `<home>/tuning/study.db`.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from hashlib import blake2b
from itertools import count
from typing import Any

import numpy as np
import numpy.typing as npt
import optuna
import orjson
from optuna.trial import TrialState
from sqlalchemy.exc import SQLAlchemyError

from engine.errors import BadFile, NoHistory
from engine.history import History
from engine.models.base import Recommender
from engine.settings import Settings
from engine.threads import one_blas_thread
from training.evaluate import lists_of
from training.learn import Learned, hold_out, models_of
from training.learn_blend import learn_blend
from training.matrices import TrainingSet
from training.metrics import judge, mean_and_error, t_interval
from training.model_settings import (
    KNOBS,
    Knob,
    ModelSettings,
    read_model_settings,
    write_model_settings,
)
from training.run import alone, load_training_set
from training.split import Lesson, Split, Target, sample

K = 10
LEAST_TARGETS = 200
# Enough to tell settings apart, few enough for hundreds of trials.
MOST_TAUGHT, MOST_JUDGED, MOST_CONFIRMED = 2_000, 3_000, 10_000
LEVEL = 0.05
# What a trial's value means; a study of another meaning is another study.
FORMAT = 1


@dataclass(frozen=True, slots=True)
class Step:
    """How far a search has come: complete trials (those of earlier runs too), the best value so far, seconds spent."""

    trials: int
    best: float
    seconds: float


@dataclass(frozen=True, slots=True)
class Confirmed:
    """The best found against the defaults on customers no trial saw: paired ndcg@10, its interval at 1 - `level`."""

    customers: int
    default: float
    found: float
    difference: float
    interval: tuple[float, float]
    level: float

    @property
    def better(self) -> bool:
        """Whether the whole interval lies above 0."""
        return self.interval[0] > 0


@dataclass(frozen=True, slots=True)
class Tuned:
    """What a search found; `confirmed` None where nothing beat the defaults, `adopted` when tuned.yaml says it now."""

    settings: ModelSettings
    adopted: bool
    confirmed: Confirmed | None
    trials: int
    resumed_from: int
    default_value: float
    best_value: float


@dataclass(slots=True)
class Field:
    """Where settings are tried: the inner split of the window, and who teaches, judges and confirms.

    The models of the last call are kept, so that a trial fits only the model it changes.
    """

    window: TrainingSet
    split: Split
    taught: Sequence[Target]
    judged: Sequence[Target]
    confirming: Sequence[Target]
    seed: int
    _fitted: dict[str, tuple[Mapping[str, float], Recommender]] = field(default_factory=dict)

    def value(self, settings: ModelSettings) -> float:
        """Return the mean ndcg@10 of the learned blend for the judging customers."""
        _, mean, _ = mean_and_error(self._ndcg(settings, self.taught, self.judged))
        return mean or 0.0

    def confirm(self, settings: ModelSettings, *, level: float) -> Confirmed:
        """Compare `settings` with the defaults for the confirming customers; everybody else teaches the blend."""
        others = [*self.taught, *self.judged]
        ours, theirs = (self._ndcg(each, others, self.confirming) for each in (settings, ModelSettings()))
        n, difference, error = mean_and_error(ours - theirs)
        gap = difference or 0.0
        bounds = t_interval(gap, error or 0.0, n, level)
        return Confirmed(n, float(np.nanmean(theirs)), float(np.nanmean(ours)), gap, bounds, level)

    def _ndcg(
        self, settings: ModelSettings, taught: Sequence[Target], judged: Sequence[Target]
    ) -> npt.NDArray[np.float64]:
        repeats = self.window.repeats
        unfitted = models_of(settings, repeats=repeats, clock=bool(self.window.baskets.timezone))
        models = [self._fit(number, model, settings) for number, model in enumerate(unfitted)]
        blend = learn_blend([Lesson(models, replace(self.split, targets=taught))], repeats=repeats)
        ranked = lists_of(Learned(models, blend, None, 0), self.window, judged, K)
        return judge(ranked, judged, K).column(f"ndcg@{K}")

    def _fit(self, number: int, model: Recommender, settings: ModelSettings) -> Recommender:
        own = dict(settings.of(model.name))
        kept = self._fitted.get(model.name)
        if kept is None or kept[0] != own:
            rng = np.random.default_rng([self.seed, number])
            kept = (own, model.fit(self.split.past, now=self.split.at, rng=rng))
            self._fitted[model.name] = kept
        return kept[1]


def tune(
    settings: Settings,
    *,
    now: datetime,
    minutes: float,
    most_trials: int | None = None,
    horizon_days: float = 28.0,
    seed: int = 0,
    report: Callable[[Step], None] = lambda _: None,
) -> Tuned:
    """Search for `minutes` (or `most_trials` new trials), and write tuned.yaml if the best is surely better.

    Equal history, seed and number of trials find equal settings. No training runs meanwhile.
    Raises NoHistory where too few came back, Conflict while training runs, BadFile for a broken study, BadDefinition
    for a wrong tuned.yaml.
    """
    one_blas_thread()
    deadline = time.monotonic() + 60 * minutes
    present = read_model_settings(settings.home)
    with alone(settings.artifacts_folder):
        ground = field_of(load_training_set(settings), horizon_days=horizon_days, seed=seed)
        fingerprint = History(settings.history_folder).fingerprint()
        storage, study = _study(settings, _name(fingerprint, horizon_days, seed))
        try:
            resumed_from = len(_complete(study))
            _search(study, ground, present, deadline, most_trials, seed, report)
            found = _conclude(study, ground, resumed_from)
        finally:
            storage.remove_session()
            storage.engine.dispose()
        if found.adopted and found.settings != present:
            write_model_settings(settings.home, found.settings, _provenance(found, fingerprint, now))
    return found


def field_of(data: TrainingSet, *, horizon_days: float, seed: int) -> Field:
    """Return where settings of `data` are tried; nothing at or after its own held-out stretch is in it.

    Raises NoHistory with fewer than 200 customers to share out.
    """
    window = replace(data, baskets=hold_out(data, horizon_days).past)
    inner = hold_out(window, horizon_days) if window.baskets.n_baskets else None
    targets = inner.targets if inner is not None else []
    if inner is None or len(targets) < LEAST_TARGETS or not inner.past.n_baskets:
        raise NoHistory(
            f"{len(targets)} customers came back in the stretch to tune by, and {LEAST_TARGETS} are needed; "
            "import more history, or choose a longer --horizon"
        )
    some = sample(targets, MOST_TAUGHT + MOST_JUDGED + MOST_CONFIRMED, np.random.default_rng([seed, 93]))
    mixed = [some[i] for i in np.random.default_rng([seed, 92]).permutation(len(some))]
    taught = min(MOST_TAUGHT, len(mixed) // 4)
    judged = min(MOST_JUDGED, (len(mixed) - taught) // 2)
    return Field(window, inner, mixed[:taught], mixed[taught : taught + judged], mixed[taught + judged :], seed)


def changes(settings: ModelSettings) -> list[tuple[str, str, float, float]]:
    """Return (model, setting, default, value) of everything that differs from the defaults."""
    plain = {model.name: model for model in models_of(ModelSettings())}
    return [
        (name, key, getattr(plain[name], key), value)
        for name, values in settings.models.items()
        for key, value in values.items()
        if value != getattr(plain[name], key)
    ]


def _study(settings: Settings, name: str) -> tuple[optuna.storages.RDBStorage, optuna.Study]:
    file = settings.home / "tuning" / "study.db"
    file.parent.mkdir(parents=True, exist_ok=True)
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    try:
        storage = optuna.storages.RDBStorage(f"sqlite:///{file}")
        study = optuna.create_study(storage=storage, study_name=name, direction="maximize", load_if_exists=True)
    except (SQLAlchemyError, RuntimeError, optuna.exceptions.OptunaError) as error:
        raise BadFile("is no study of ours; delete it to start the search anew", where=str(file)) from error
    return storage, study


def _name(fingerprint: str, horizon_days: float, seed: int) -> str:
    """Return a name that only searches over the same history, split and bounds share."""
    bounds = {
        f"{model}.{key}": (k.low, k.high, k.whole, k.log) for model, own in KNOBS.items() for key, k in own.items()
    }
    what = orjson.dumps([FORMAT, fingerprint, horizon_days, seed, bounds])
    return blake2b(what, digest_size=16).hexdigest()


def _complete(study: optuna.Study) -> list[optuna.trial.FrozenTrial]:
    # A trial that was cut off stays "running" for ever; it says nothing.
    return study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))


def _best(study: optuna.Study) -> tuple[ModelSettings, float]:
    """Return the best settings and their value; of equals the first."""
    best = max(_complete(study), key=lambda trial: (trial.value or 0.0, -trial.number))
    return ModelSettings(best.user_attrs["settings"]), best.value or 0.0


def _search(
    study: optuna.Study,
    ground: Field,
    present: ModelSettings,
    deadline: float,
    most_trials: int | None,
    seed: int,
    report: Callable[[Step], None],
) -> None:
    """Try the defaults, what the home uses now, then one model after another around the best so far.

    Tree-structured Parzen estimators (Bergstra et al. 2011) draw each model's settings; the other models keep the
    best, which costs one fit a trial instead of all.
    """
    started = time.monotonic()
    done = len(_complete(study))
    # Seeded by where it starts, a search that goes on does not draw again what was drawn before.
    study.sampler = optuna.samplers.TPESampler(seed=seed * 1_000_003 + done)
    fitted = {
        model.name
        for model in models_of(present, repeats=ground.window.repeats, clock=bool(ground.window.baskets.timezone))
    }
    names = [name for name in KNOBS if name in fitted]
    for number in count(done):
        # The defaults are always tried: everything is compared with them.
        if number and (time.monotonic() >= deadline or number - done >= (most_trials or number + 1)):
            return
        trial = study.ask()
        if number < 2:
            tried = ModelSettings() if number == 0 else present
        else:
            model = names[number % len(names)]
            drawn = {key: _drawn(trial, f"{model}.{key}", knob) for key, knob in KNOBS[model].items()}
            tried = _best(study)[0].with_model(model, drawn)
        trial.set_user_attr("settings", tried.as_dict())
        study.tell(trial, ground.value(tried))
        report(Step(number + 1, _best(study)[1], time.monotonic() - started))


def _drawn(trial: optuna.Trial, name: str, knob: Knob) -> float:
    if knob.whole:
        return trial.suggest_int(name, int(knob.low), int(knob.high), log=knob.log)
    # Six digits are more than any figure can tell, and read well in a file.
    drawn = float(f"{trial.suggest_float(name, knob.low, knob.high, log=knob.log):.6g}")
    return min(max(drawn, knob.low), knob.high)


def _conclude(study: optuna.Study, ground: Field, resumed_from: int) -> Tuned:
    """Say whether the best is better than the defaults for customers no trial saw.

    They are asked again at every end of a search that goes on, each time at a level divided by how often.
    """
    trials = _complete(study)
    best, value = _best(study)
    default = next(trial.value or 0.0 for trial in trials if not trial.user_attrs["settings"])
    confirmed = None
    if best.as_dict():
        asked: list[Any] = list(study.user_attrs.get("asked", []))
        if best.as_dict() not in asked:
            asked.append(best.as_dict())
            study.set_user_attr("asked", asked)
        confirmed = ground.confirm(best, level=LEVEL / (1 + asked.index(best.as_dict())))
    adopted = confirmed is not None and confirmed.better
    return Tuned(best, adopted, confirmed, len(trials), resumed_from, default, value)


def _provenance(found: Tuned, fingerprint: str, now: datetime) -> dict[str, object]:
    confirmed = found.confirmed
    return {
        "at": now.astimezone(UTC).isoformat(),
        "history": fingerprint,
        "trials": found.trials,
        "confirmed_on_customers": confirmed.customers if confirmed else 0,
        "ndcg_default": round(confirmed.default, 6) if confirmed else None,
        "ndcg_found": round(confirmed.found, 6) if confirmed else None,
        "interval": [round(bound, 6) for bound in confirmed.interval] if confirmed else None,
    }
