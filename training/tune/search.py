"""Which settings of the models serve this home's customers best? Searched inside the training window only.

Models are searched first, by the blend; then, with what was adopted, how the ranker's trees grow. What is best is
adopted where it is surely better than the defaults for customers no trial saw. Trials go on where they were left, from
`<home>/tuning/study.db`.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import blake2b
from itertools import count
from typing import Any

import optuna
import orjson
from optuna.trial import TrialState
from sqlalchemy.exc import SQLAlchemyError

from engine.errors import BadFile
from engine.history.opening import open_history
from engine.models.base import Tunable
from engine.runtime.threads import one_blas_thread
from engine.settings import Settings
from training.learn.ranker import LEAST_TARGETS as LEAST_TAUGHT
from training.learn.ranker import Growing
from training.learn.settings import (
    RANKER,
    ModelSettings,
    read_model_settings,
    tunables,
    write_model_settings,
)
from training.learn.stack import models_of
from training.run import load_training_set, training_lock
from training.tune.trial import Confirmed, Field, field_of

LEVEL = 0.05
# How much of time and trials goes to the models; the ranker has the rest.
FOR_MODELS = 2 / 3
LEAST_FOR_BOTH = 3
# What a trial's value means; a study of another meaning is another study.
FORMAT = 2


@dataclass(frozen=True, slots=True)
class Step:
    """How far a search has come: complete trials (those of earlier runs too), the best value so far, seconds spent.

    `of` is what is searched: "models" or "ranker".
    """

    trials: int
    best: float
    seconds: float
    of: str


@dataclass(frozen=True, slots=True)
class Found:
    """The best of one search; `confirmed` None where nothing beat the defaults."""

    settings: ModelSettings
    confirmed: Confirmed | None
    trials: int
    resumed_from: int
    default_value: float
    best_value: float

    @property
    def sure(self) -> bool:
        """Whether it is better than the defaults for customers no trial saw."""
        return self.confirmed is not None and self.confirmed.better


@dataclass(frozen=True, slots=True)
class Tuned:
    """What was found for the models, and for the ranker (None where there is too little to teach one by, or no trial).

    `settings` are the best of both, and `kept` what of them is sure, beside what the home had set of the rest.
    `thorough` decides which defaults of the ranker hold in this home.
    """

    models: Found
    ranker: Found | None
    settings: ModelSettings
    kept: ModelSettings
    thorough: bool

    @property
    def adopted(self) -> bool:
        """Whether tuned.yaml now holds something that was found."""
        return self.models.sure or (self.ranker is not None and self.ranker.sure)

    @property
    def trials(self) -> int:
        """Complete trials of both searches, those of earlier runs too."""
        return self.models.trials + (self.ranker.trials if self.ranker else 0)

    @property
    def resumed_from(self) -> int:
        """Trials that earlier runs had completed."""
        return self.models.resumed_from + (self.ranker.resumed_from if self.ranker else 0)


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
    """Search for `minutes` (or `most_trials` new trials), and write to tuned.yaml what is surely better.

    Two thirds go to the models; the rest to the ranker, where enough came back to teach one by and more than two trials
    are wanted.

    Equal history, seed and number of trials find equal settings. No training runs meanwhile.
    Raises NoHistory where too few came back, Conflict while training runs, BadFile for a broken study, BadDefinition
    for a wrong tuned.yaml.
    """
    one_blas_thread()
    started = time.monotonic()
    present = read_model_settings(settings.home)
    with training_lock(settings.artifacts_folder):
        ground = field_of(load_training_set(settings), horizon_days=horizon_days, seed=seed)
        fingerprint = open_history(settings).fingerprint()
        ranks = len(ground.taught) >= LEAST_TAUGHT and (most_trials is None or most_trials >= LEAST_FOR_BOTH)
        share = FOR_MODELS if ranks else 1.0
        trials = None if most_trials is None else round(most_trials * share)
        storage = _storage(settings)

        def run(search: Search, minutes: float, most: int | None) -> Found:
            study = _study(storage, _name(fingerprint, horizon_days, seed, search))
            return _run(study, search, Budget(started, started + 60 * minutes, most), seed, report)

        try:
            own = present.without(RANKER)
            models = run(_of_models(ground, own), minutes * share, trials)
            best, kept, ranker = models.settings, models.settings if models.sure else own, None
            set_now = present.of(RANKER)
            if ranks:
                left = None if most_trials is None or trials is None else most_trials - trials
                ranker = run(_of_ranker(ground, kept, set_now), minutes, left)
                best = best.with_model(RANKER, ranker.settings.of(RANKER))
            kept = kept.with_model(RANKER, ranker.settings.of(RANKER) if ranker and ranker.sure else set_now)
        finally:
            storage.remove_session()
            storage.engine.dispose()
        found = Tuned(models, ranker, best, kept, ground.thorough)
        if found.adopted and kept.as_dict() != present.as_dict():
            write_model_settings(settings.home, kept, _provenance(found, fingerprint, now))
    return found


def changes(settings: ModelSettings, *, thorough: bool) -> list[tuple[str, str, float, float]]:
    """Return (model, setting, default, value) of everything that differs from the defaults.

    `thorough` decides which defaults of the ranker hold.
    """
    plain: dict[str, object] = {model.name: model for model in models_of(ModelSettings())}
    plain[RANKER] = Growing.of({}, thorough=thorough)
    return [
        (name, key, getattr(plain[name], key), value)
        for name, values in settings.models.items()
        for key, value in values.items()
        if value != getattr(plain[name], key)
    ]


@dataclass(frozen=True, slots=True)
class Search:
    """What is tried, and what it is compared with.

    Trials draw the settings of `names` in turn, around the best so far. `plain` is always tried first, and `present`,
    what the home has now, second.
    """

    of: str
    names: Sequence[str]
    plain: ModelSettings
    present: ModelSettings
    value: Callable[[ModelSettings], float]
    confirm: Callable[..., Confirmed]


@dataclass(frozen=True, slots=True)
class Budget:
    """When a search began and starts no new trial (seconds of a steady clock), and the most new trials (None: any)."""

    started: float
    deadline: float
    most: int | None


def _of_models(ground: Field, present: ModelSettings) -> Search:
    window = ground.window
    fitted = {model.name for model in models_of(present, repeats=window.repeats, baskets=window.baskets)}
    names = [name for name in tunables() if name in fitted]
    return Search("models", names, ModelSettings(), present, ground.value, ground.confirm)


def _of_ranker(ground: Field, models: ModelSettings, set_now: Mapping[str, float]) -> Search:
    plain = models.without(RANKER)
    present = plain.with_model(RANKER, set_now)
    return Search(RANKER, [RANKER], plain, present, ground.ranked_value, ground.confirm_ranker)


def _storage(settings: Settings) -> optuna.storages.RDBStorage:
    file = settings.home / "tuning" / "study.db"
    file.parent.mkdir(parents=True, exist_ok=True)
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    try:
        return optuna.storages.RDBStorage(f"sqlite:///{file}")
    except (SQLAlchemyError, RuntimeError, optuna.exceptions.OptunaError) as error:
        raise BadFile("is no study of ours; delete it to start the search anew", where=str(file)) from error


def _study(storage: optuna.storages.RDBStorage, name: str) -> optuna.Study:
    return optuna.create_study(storage=storage, study_name=name, direction="maximize", load_if_exists=True)


def _name(fingerprint: str, horizon_days: float, seed: int, search: Search) -> str:
    """Return a name that only searches over the same history, split, bounds and plain settings share."""
    bounds = {
        f"{name}.{key}": (k.low, k.high, k.whole, k.log) for name in search.names for key, k in tunables()[name].items()
    }
    what = orjson.dumps([FORMAT, fingerprint, horizon_days, seed, search.of, search.plain.as_dict(), bounds])
    return blake2b(what, digest_size=16).hexdigest()


def _complete(study: optuna.Study) -> list[optuna.trial.FrozenTrial]:
    # A trial that was cut off stays "running" for ever; it counts for nothing.
    return study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))


def _best(study: optuna.Study) -> tuple[ModelSettings, float]:
    """Return the best settings and their value; of equals the first."""
    best = max(_complete(study), key=lambda trial: (trial.value or 0.0, -trial.number))
    return ModelSettings(best.user_attrs["settings"]), best.value or 0.0


def _run(study: optuna.Study, search: Search, budget: Budget, seed: int, report: Callable[[Step], None]) -> Found:
    """Try what is plain, what the home uses now, then one model after another around the best so far.

    Tree-structured Parzen estimators (Bergstra et al. 2011) draw each model's settings; the other models keep the
    best, which costs one fit a trial instead of all.
    """
    done = len(_complete(study))
    # Seeded by where it starts, a search that goes on does not draw again what was drawn before.
    study.sampler = optuna.samplers.TPESampler(seed=seed * 1_000_003 + done)
    for number in count(done):
        # The plain settings are always tried: everything is compared with them.
        spent = time.monotonic() >= budget.deadline or number - done >= (budget.most or number + 1)
        if number and spent:
            break
        trial = study.ask()
        if number == 0:
            tried = search.plain
        elif number == 1 and search.present.as_dict() != search.plain.as_dict():
            tried = search.present
        else:
            name = search.names[number % len(search.names)]
            drawn = {key: _drawn(trial, f"{name}.{key}", knob) for key, knob in tunables()[name].items()}
            tried = _best(study)[0].with_model(name, drawn)
        trial.set_user_attr("settings", tried.as_dict())
        study.tell(trial, search.value(tried))
        report(Step(number + 1, _best(study)[1], time.monotonic() - budget.started, search.of))
    return _conclude(study, search, done)


def _drawn(trial: optuna.Trial, name: str, tunable: Tunable) -> float:
    if tunable.whole:
        return trial.suggest_int(name, int(tunable.low), int(tunable.high), log=tunable.log)
    # Six digits are more than any figure can tell, and read well in a file.
    drawn = float(f"{trial.suggest_float(name, tunable.low, tunable.high, log=tunable.log):.6g}")
    return min(max(drawn, tunable.low), tunable.high)


def _conclude(study: optuna.Study, search: Search, resumed_from: int) -> Found:
    """Return whether the best is better than the plain settings for customers no trial saw.

    They are asked again at every end of a search that goes on, each time at a level divided by how often.
    """
    trials = _complete(study)
    best, value = _best(study)
    plain = search.plain.as_dict()
    default = next(trial.value or 0.0 for trial in trials if trial.user_attrs["settings"] == plain)
    confirmed = None
    if best.as_dict() != plain:
        asked: list[Any] = list(study.user_attrs.get("asked", []))
        if best.as_dict() not in asked:
            asked.append(best.as_dict())
            study.set_user_attr("asked", asked)
        confirmed = search.confirm(best, level=LEVEL / (1 + asked.index(best.as_dict())))
    return Found(best, confirmed, len(trials), resumed_from, default, value)


def _provenance(found: Tuned, fingerprint: str, now: datetime) -> dict[str, object]:
    told: dict[str, object] = {"at": now.astimezone(UTC).isoformat(), "history": fingerprint, "trials": found.trials}
    for of, part in (("models", found.models), (RANKER, found.ranker)):
        if part is not None and part.sure and part.confirmed is not None:
            told[of] = {
                "confirmed_on_customers": part.confirmed.customers,
                "ndcg_default": round(part.confirmed.default, 6),
                "ndcg_found": round(part.confirmed.found, 6),
                "interval": [round(bound, 6) for bound in part.confirmed.interval],
            }
    return told
