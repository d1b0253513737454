"""May a candidate go live? A verdict from figures alone, with the numbers behind it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from engine.errors import InputError, did_you_mean
from training.judge.groups import KINDS, OTHERS
from training.metrics import t_interval

# History that lost half its customers or dishes was more likely imported wrongly than truly gone.
LEAST_KEPT = 0.5


@dataclass(frozen=True, slots=True)
class Protection:
    """In which groups a candidate must not be worse: those of `kinds` with at least `least` judged customers.

    `level` is the probability of refusing, for any group at all, a candidate that is worse in none.
    """

    kinds: tuple[str, ...] = ("history", "orders", "recency", "value", "lifecycle", "zone")
    least: int = 30
    level: float = 0.05

    @classmethod
    def of(cls, names: Sequence[str]) -> Protection:
        """Return the protection of the setting's `names`; `none` alone protects no group.

        Raises InputError for a kind of group we do not tell apart.
        """
        kinds = () if tuple(names) == ("none",) else tuple(names)
        for name in kinds:
            if name not in KINDS:
                raise InputError(
                    f"{name!r} is no kind of group{did_you_mean(name, KINDS)}", where="REGULARS_PROTECTED_GROUPS"
                )
        return cls(kinds)


@dataclass(frozen=True, slots=True)
class Verdict:
    """`problems` is empty when the candidate may go live; `notes` are worth reading either way."""

    problems: tuple[str, ...]
    notes: tuple[str, ...]

    @property
    def passed(self) -> bool:
        """Whether no problem forbids publishing."""
        return not self.problems


def judge_candidate(
    candidate: Mapping[str, Any],
    live: Mapping[str, Any] | None,
    arrays: Mapping[str, npt.NDArray[np.generic]],
    protection: Protection = Protection(),
) -> Verdict:
    """Compare a candidate's manifest and arrays with the live manifest (None: nothing is live yet).

    Broken: a model holds a value that is not finite. Worse: what is served loses to one of its own models, or to the
    live version's figure, by more than the 95 % intervals allow; a first version is only told that it loses to a model.
    Shrunken: half the customers or dishes are gone. Unjudged: too few customers came back, and live was judged.
    Unfair: worse in a protected group, see `worse_than_own` and `worse_than_live`.
    """
    problems = [
        f"{name} holds values that are not finite"
        for name, array in arrays.items()
        if name.startswith("models.") and np.issubdtype(array.dtype, np.floating) and not np.isfinite(array).all()
    ]
    notes: list[str] = []
    figures = candidate["evaluation"]
    if figures is None:
        notes.append("too few customers came back to judge this version")
    elif live is None:
        # With nothing live, being shown the second best is better than nothing; the operator is told.
        notes += [*_against_single(figures), *worse_than_own(figures, protection)]
    else:
        problems += [*_against_single(figures), *worse_than_own(figures, protection)]
    if live is not None:
        problems += _against_live(candidate, live, protection, notes)
    return Verdict(tuple(problems), tuple(notes))


def _against_single(figures: Mapping[str, Any]) -> list[str]:
    best = figures["against_best_single"]
    if best["interval"] is not None and best["interval"][1] < 0:
        return [
            f"the {figures['served']}'s {best['metric']} is {-best['difference']:.4f} below {best['model']} alone "
            f"({_span(best['interval'])}) on {best.get('customers', figures['customers'])} customers"
        ]
    return []


def worse_than_own(figures: Mapping[str, Any], protection: Protection) -> list[str]:
    """Return a sentence for each protected group in which what is served surely loses to one of its own models.

    Both rank for the same customers, so the paired difference is tested: refused where the whole of Student's interval
    lies below 0, at 1 - level / (groups x single models). Bonferroni's correction, because every group is asked about
    every model and one of a hundred would lose by luck alone; it holds however the groups overlap, and they do.
    """
    judged = _protected(figures, protection)
    tests = sum(group["singles"] for group in judged)
    problems = []
    for group in judged:
        against = group["hardest_single"]
        if against is None or not against["error"]:
            continue
        # Models alone may be judged on fewer than what is served.
        n = against.get("customers", group["customers"])
        bounds = t_interval(against["difference"], against["error"], n, protection.level / tests)
        if bounds[1] < 0:
            problems.append(
                f"for {_named(group)} the {figures['served']}'s ndcg@{figures['k']} is {-against['difference']:.4f} "
                f"below {against['model']} alone ({_span(bounds, protection.level / tests)}) "
                f"on {n} customers"
            )
    return problems


def worse_than_live(
    ours: Mapping[str, Any], theirs: Mapping[str, Any], version: str, protection: Protection
) -> list[str]:
    """Return a sentence for each protected group in which the candidate is surely worse than live `version` was.

    The two were judged on different stretches and customers, so nothing can be paired: refused where Student's
    intervals, at 1 - level / (groups compared), do not overlap. That asks for more than a test of the difference would,
    and leaves room for weeks that are harder than others. What pools the small zones is not compared: others are in it.
    """
    metric = f"ndcg@{ours['k']}"
    before = {(group["kind"], group["name"]): group for group in _protected(theirs, protection)}
    judged = [
        (group, before[group["kind"], group["name"]])
        for group in _protected(ours, protection)
        if group["name"] != OTHERS and (group["kind"], group["name"]) in before
    ]
    problems = []
    for mine, other in judged:
        level = protection.level / len(judged)
        now, then = (
            t_interval(group["figures"][metric], group["error"], group["customers"], level) for group in (mine, other)
        )
        if now[1] < then[0]:
            problems.append(
                f"for {_named(mine)} {metric} is {mine['figures'][metric]:.4f} ({_span(now, level)}) on "
                f"{mine['customers']} customers, below live {version} with {other['figures'][metric]:.4f} "
                f"({_span(then, level)}) on {other['customers']}"
            )
    return problems


def _protected(figures: Mapping[str, Any], protection: Protection) -> list[Mapping[str, Any]]:
    """Return the groups that are protected and large enough; none of a version judged before groups were."""
    return [
        group
        for group in figures.get("groups", ())
        if group["kind"] in protection.kinds and group["customers"] >= protection.least and group["error"] is not None
    ]


def _named(group: Mapping[str, Any]) -> str:
    return f"group {group['kind']} {group['name']}"


def _against_live(
    candidate: Mapping[str, Any], live: Mapping[str, Any], protection: Protection, notes: list[str]
) -> list[str]:
    problems = []
    for what in ("customers", "items"):
        now, before = candidate["data"][what], live["data"][what]
        if now < LEAST_KEPT * before:
            problems.append(f"{what} fell from {before:,} in live {live['version']} to {now:,}")
    ours, theirs = candidate["evaluation"], live["evaluation"]
    if ours is None or theirs is None or ours["k"] != theirs["k"]:
        if ours is None and theirs is not None:
            problems.append(
                f"live {live['version']} was judged and of this version too few customers came back to judge"
            )
        elif theirs is not None:
            notes.append(f"live {live['version']} was judged at another k and cannot be compared with")
        return problems
    metric = f"ndcg@{ours['k']}"
    mine, other = ours["intervals"][ours["served"]][metric], theirs["intervals"][theirs["served"]][metric]
    if mine is not None and other is not None and mine[1] < other[0]:
        now, before = ours["models"][ours["served"]][metric], theirs["models"][theirs["served"]][metric]
        problems.append(
            f"{metric} is {now:.4f} ({_span(mine)}), below live {live['version']} with {before:.4f} ({_span(other)})"
        )
    return problems + worse_than_live(ours, theirs, live["version"], protection)


def _span(interval: Sequence[float], level: float = 0.05) -> str:
    return f"{100 * (1 - level):.4g} % interval {interval[0]:.4f} to {interval[1]:.4f}"
