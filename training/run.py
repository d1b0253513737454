"""One training run: history in, a judged artifact out, live only if the gate passes it."""

from __future__ import annotations

import fcntl
import gc
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from importlib.metadata import version as installed
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from engine.artifact import activate, live_version, manifest_of, prune, write
from engine.columns import DAY_S
from engine.customers.config import read_customer_config
from engine.errors import CandidateRefused, Conflict, RegularsError
from engine.history.dayparts import Dayparts
from engine.history.opening import open_history
from engine.history.tables import read_table
from engine.ids import IdMap
from engine.language import LANGUAGES
from engine.models.content import Content
from engine.models.together import Together
from engine.recommend.published.extras import Clocks, Extras, RegisteredCustomers, VendorShares
from engine.recommend.published.model import arrays_of
from engine.runtime.memory import limit_free_heap
from engine.runtime.threads import TaskPool, one_blas_thread, run_both
from engine.settings import Settings
from training.data.matrices import TrainingSet, training_set_of
from training.data.split import sample
from training.judge.evaluate import Evaluation, evaluate
from training.judge.gate import Protection, Verdict, judge_candidate
from training.judge.groups import Standing, standing_at
from training.learn.settings import ModelSettings, read_model_settings
from training.learn.stack import Learned, Report, TrainingPlan, fits_at_once, hold_out, learn_and_judge

K = 10
# What is served, and each of its models alone: those take most of the time and only have to be told from it.
MOST_JUDGED, MOST_ALONE = 10_000, 4_000
LEAST_JUDGED = 30
KEPT_VERSIONS = 5
# From this share of orders at one time of day on, instants are dates.
ONE_TIME = 0.9
Array = np.ndarray[Any, np.dtype[np.generic]]


@dataclass(frozen=True, slots=True)
class Trained:
    """What a run did: `published` False with problems None means nothing had changed since the live version."""

    version: str
    published: bool
    unchanged: bool
    verdict: Verdict | None
    manifest: dict[str, Any]


def load_training_set(settings: Settings) -> TrainingSet:
    """Read history and the items table of a home.

    Raises NoHistory if no delivered order line names an item.
    """
    history = open_history(settings)
    data = training_set_of(history.months(), read_table(settings, "items"))
    timed = data.clock == "time" and tells_time(data.baskets.at)
    known = read_table(settings, "customers").select("customer_id", "language", "referred_by")
    own = pl.DataFrame({"customer_id": data.customers}).join(known, on="customer_id", how="left", maintain_order="left")
    baskets = replace(
        data.baskets,
        timezone=_usual_timezone(settings) if timed else "",
        dayparts=read_customer_config(None, home=settings.home).dayparts,
        language=_languages(own["language"]),
        referrer=_others(own["referred_by"], data.customers),
    )
    return replace(data, baskets=baskets)


def _dayparts(dayparts: Dayparts) -> dict[str, dict[str, int]]:
    """Return the manifest entry of dayparts: empty for the default ones."""
    return {} if dayparts == Dayparts() else {"dayparts": dayparts.starts()}


def _numbered(names: pl.Series, known: pl.Series) -> npt.NDArray[np.int32]:
    """Return the place of each of `names` among `known` (distinct), -1 where it is not there."""
    return names.replace_strict(known, np.arange(len(known)), default=-1, return_dtype=pl.Int32).to_numpy().copy()


def _others(names: pl.Series, customers: pl.Series) -> npt.NDArray[np.int32]:
    """Return the row of the customer each customer names, -1 for nobody known; nobody brings themselves."""
    rows = _numbered(names, customers)
    return np.where(rows == np.arange(len(rows)), np.int32(-1), rows)


def tells_time(at: npt.NDArray[np.int64]) -> bool:
    """Return whether instants (seconds, UTC) have a time of day: not where nearly all are one, like midnights."""
    _, counts = np.unique(at % DAY_S, return_counts=True)
    # Two, because summer time moves midnight by an hour.
    return bool(np.sort(counts)[-2:].sum() < ONE_TIME * len(at))


def _usual_timezone(settings: Settings) -> str:
    """Return where most vendors are, or else most customers; the operator's time zone where neither say."""
    for table in ("vendors", "customers"):
        named = read_table(settings, table).get_column("timezone").drop_nulls()
        if len(named):
            return str(named.mode().sort()[0])
    return settings.timezone


def train(
    settings: Settings,
    *,
    now: datetime,
    horizon_days: float = 28.0,
    seed: int = 0,
    force: bool = False,
    inbox_through: int = 0,
    report: Report = lambda _: None,
) -> Trained:
    """Learn, judge, gate and publish.

    With the history and settings of the live version nothing is done unless `force`. `force` also publishes what the
    gate would refuse, and the manifest says so.
    Raises NoHistory, Conflict when another run is going on, CandidateRefused with the gate's numbers, InputError when a
    protected kind of group does not exist, BadDefinition when the home's tuned.yaml is wrong.
    """
    one_blas_thread()
    limit_free_heap()
    # What has been imported stays: looking through it again with every thousand targets took a tenth of judging.
    gc.freeze()
    root = settings.artifacts_folder
    protection = Protection.of(settings.protected_groups)
    chosen = read_model_settings(settings.home)
    with training_lock(root):
        live = _live_manifest(settings)
        # With nothing set the recipe reads as it always did, so that an update alone trains nothing anew.
        recipe: dict[str, Any] = {"horizon_days": horizon_days, "seed": seed}
        if chosen.as_dict():
            recipe["model_settings"] = chosen.as_dict()
        recipe |= _dayparts(read_customer_config(None, home=settings.home).dayparts)
        fingerprint = open_history(settings).fingerprint()
        if live and not force and _same(live, fingerprint, recipe, inbox_through):
            return Trained(str(live["version"]), False, True, None, live)
        report("read history")
        data = load_training_set(settings)

        def together() -> dict[str, Array]:
            report("learn what goes together")
            return extras_of(settings, data).arrays()

        extras, (learned, evaluation) = run_both(
            together,
            lambda: _learn_and_judge(settings, data, chosen, horizon_days, seed, report),
            at_once=fits_at_once(data.baskets),
        )
        arrays = arrays_of(
            learned.models, learned.ranker, data.baskets, _ids(data), _vendor_rows(data), data.baskets.language
        )
        arrays |= extras
        version = f"{now.astimezone(UTC):%Y%m%dT%H%M%S%fZ}"
        manifest = _manifest(data, learned, evaluation, recipe, fingerprint, inbox_through, now)
        verdict = judge_candidate(manifest, live, arrays, protection)
        if not verdict.passed and not force:
            raise _refusal(verdict, manifest, live)
        manifest["verdict"] = {"problems": verdict.problems, "notes": verdict.notes, "forced": not verdict.passed}
        report("publish")
        write(root, version, arrays, manifest)
        activate(root, version)
        prune(root, keep=KEPT_VERSIONS)
        return Trained(version, True, False, verdict, {"version": version, **manifest})


def _learn_and_judge(
    settings: Settings, data: TrainingSet, chosen: ModelSettings, horizon_days: float, seed: int, report: Report
) -> tuple[Learned, Evaluation | None]:
    """Judge on the last stretch with models that never saw it, and learn from everything."""
    split = hold_out(data, horizon_days)
    targets = sample(split.targets, MOST_JUDGED, np.random.default_rng([seed, 98]))
    plan = TrainingPlan(data, horizon_days, seed, report, chosen)
    if len(targets) < LEAST_JUDGED or not split.past.n_baskets:
        return plan.fit_blend_and_ranker([], None).on(plan.fit()), None

    def stood() -> Standing:
        report("look up how customers stood")
        return standing_at(settings, data, split.at)

    def judged(before: Learned) -> Evaluation:
        report(f"judge on {len(targets):,} customers")
        return evaluate(
            before,
            data,
            split.past,
            targets,
            k=K,
            seed=seed,
            advance=lambda _: None,
            standing=standing(),
            most_alone=MOST_ALONE,
        )

    with TaskPool(at_once=fits_at_once(data.baskets)) as tasks:
        standing = tasks.submit(stood)
        return learn_and_judge(plan, split, judged)


def _manifest(
    data: TrainingSet,
    learned: Learned,
    evaluation: Evaluation | None,
    recipe: dict[str, Any],
    fingerprint: str,
    inbox_through: int,
    now: datetime,
) -> dict[str, Any]:
    return {
        "created_at": now.astimezone(UTC).isoformat(),
        "models": [model.name for model in learned.models],
        "weights": dict(learned.blend.weights),
        "weights_for_new": dict(learned.blend.for_new),
        "served": learned.served,
        "tuned_on": learned.tuned_on,
        "recipe": recipe,
        "inbox_through": inbox_through,
        "data": {
            "fingerprint": fingerprint,
            "clock": data.clock,
            "hours": bool(data.baskets.timezone),
            **_dayparts(data.baskets.dayparts),
            "repeats": data.repeats,
            "first_at": datetime.fromtimestamp(data.first_at, UTC).isoformat(),
            "last_at": datetime.fromtimestamp(data.last_at, UTC).isoformat(),
            "customers": data.baskets.n_customers,
            "items": data.baskets.n_items,
            "baskets": data.baskets.n_baskets,
            "lines": len(data.baskets.items),
        },
        "evaluation": evaluation.as_dict() if evaluation else None,
        "versions": {name: installed(name) for name in ("regulars", "numpy", "scipy", "lightgbm", "polars")},
    }


def _ids(data: TrainingSet) -> dict[str, IdMap]:
    return {
        "customers": IdMap.of(data.customers),
        "items": IdMap.of(data.items),
        "zones": IdMap.of(data.zones),
        "vendors": IdMap.of(data.vendors),
    }


def _vendor_rows(data: TrainingSet) -> tuple[np.ndarray[Any, np.dtype[np.int64]], np.ndarray[Any, np.dtype[np.int32]]]:
    vendor = data.vendor_items["vendor"].to_numpy()
    start = np.searchsorted(vendor, np.arange(len(data.vendors) + 1)).astype(np.int64)
    return start, data.vendor_items["item"].to_numpy().astype(np.int32)


def extras_of(settings: Settings, data: TrainingSet) -> Extras:
    """Learn what an artifact holds beside the blended models, from the whole history: nothing here is judged."""
    return Extras(
        Together().fit(data.baskets),
        Content().fit(read_table(settings, "items"), data.items.to_list()),
        VendorShares.of(data.baskets, n_vendors=len(data.vendors), now=data.last_at) if len(data.vendors) else None,
        _clocks(settings, data),
        _cards(settings, data),
        _first_ordered(data),
    )


def _first_ordered(data: TrainingSet) -> npt.NDArray[np.int64]:
    """Return when each item was first ordered, seconds since 1970; the largest number where it never was."""
    first = np.full(data.baskets.n_items, np.iinfo(np.int64).max)
    np.minimum.at(first, data.baskets.items, np.repeat(data.baskets.at, np.diff(data.baskets.basket_start)))
    return first


def _languages(tags: pl.Series) -> npt.NDArray[np.int8]:
    """Return the number in LANGUAGES of each tag's language; -1 for others, of which nothing is learned."""
    return _numbered(tags.str.split("-").list.first(), pl.Series(LANGUAGES)).astype(np.int8)


def _cards(settings: Settings, data: TrainingSet) -> RegisteredCustomers:
    """Return what is known of registered customers who have not ordered."""
    table = read_table(settings, "customers").select("customer_id", "language", "zone", "referred_by")
    newcomers = table.join(pl.DataFrame({"customer_id": data.customers}), on="customer_id", how="anti")
    return RegisteredCustomers(
        IdMap.of(newcomers["customer_id"].to_list()),
        _languages(newcomers["language"]),
        _numbered(newcomers["zone"], data.zones),
        _numbered(newcomers["referred_by"], data.customers),
    )


def _clocks(settings: Settings, data: TrainingSet) -> Clocks:
    known = read_table(settings, "customers").select("customer_id", "timezone")
    own = pl.DataFrame({"customer_id": data.customers}).join(known, on="customer_id", how="left", maintain_order="left")
    names = own["timezone"].drop_nulls().unique().sort().to_list()
    numbers = own["timezone"].replace_strict(names, range(len(names)), default=-1, return_dtype=pl.Int16)
    return Clocks(tuple(names), numbers.to_numpy().astype(np.int16))


def _refusal(verdict: Verdict, manifest: dict[str, Any], live: dict[str, Any] | None) -> CandidateRefused:
    stays = f"live stays {live['version']}" if live else "nothing is live"
    return CandidateRefused(
        f"{'; '.join(verdict.problems)}; {stays} (--force publishes all the same)",
        problems=verdict.problems,
        notes=verdict.notes,
        manifest=manifest,
    )


def _live_manifest(settings: Settings) -> dict[str, Any] | None:
    version = live_version(settings.artifacts_folder)
    if version is None:
        return None
    try:
        return manifest_of(settings.artifacts_folder, version)
    except RegularsError:
        # A live version that cannot be read is no yardstick, and training is how it gets replaced.
        return None


def _same(live: dict[str, Any], fingerprint: str, recipe: dict[str, Any], inbox_through: int) -> bool:
    before = (live["data"]["fingerprint"], live["recipe"], live["inbox_through"])
    return before[:2] == (fingerprint, recipe) and before[2] >= inbox_through


@contextmanager
def training_lock(root: Path) -> Iterator[None]:
    """Hold the right to train into the artifacts folder `root`.

    Raises Conflict when another run holds it.
    """
    root.mkdir(parents=True, exist_ok=True)
    with (root / ".training").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise Conflict(
                "another training run, or a search for settings, is going on; wait for it to end", where=str(root)
            ) from error
        yield
