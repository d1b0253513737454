"""May a candidate go live? A verdict from figures alone, with the numbers that say why."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

# History that lost half its customers or dishes was more likely imported wrongly than truly gone.
LEAST_KEPT = 0.5


@dataclass(frozen=True, slots=True)
class Verdict:
    """`problems` is empty when the candidate may go live; `notes` are worth reading either way."""

    problems: tuple[str, ...]
    notes: tuple[str, ...]

    @property
    def passed(self) -> bool:
        """Whether nothing speaks against publishing."""
        return not self.problems


def judge_candidate(
    candidate: Mapping[str, Any],
    live: Mapping[str, Any] | None,
    arrays: Mapping[str, npt.NDArray[np.generic]],
) -> Verdict:
    """Compare a candidate's manifest and arrays with the live manifest (None: nothing is live yet).

    Broken: a model holds a value that is not finite. Worse: what is served loses to one of its own models, or to the
    live version's figure, by more than the 95 % intervals allow; a first version is only told that it loses to a model.
    Shrunken: half the customers or dishes are gone. Unjudged: too few customers came back, and live was judged.
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
        notes += _against_single(figures)
    else:
        problems += _against_single(figures)
    if live is not None:
        problems += _against_live(candidate, live, notes)
    return Verdict(tuple(problems), tuple(notes))


def _against_single(figures: Mapping[str, Any]) -> list[str]:
    best = figures["against_best_single"]
    if best["interval"] is not None and best["interval"][1] < 0:
        return [
            f"the {figures['served']}'s {best['metric']} is {-best['difference']:.4f} below {best['model']} alone "
            f"({_span(best['interval'])}) on {figures['customers']} customers"
        ]
    return []


def _against_live(candidate: Mapping[str, Any], live: Mapping[str, Any], notes: list[str]) -> list[str]:
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
    return problems


def _span(interval: Sequence[float]) -> str:
    return f"95 % interval {interval[0]:.4f} to {interval[1]:.4f}"
