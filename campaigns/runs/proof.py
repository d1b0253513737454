"""How a launch will be judged: fixed before anything is known of it, stored with the run, and never edited."""

from __future__ import annotations

from dataclasses import asdict, dataclass

import orjson

from campaigns.definition.campaign import Definition
from engine.experiments.group_sequential import ERROR_LEVEL, FEWEST_PER_LOOK, REDRAWS

METRICS = ("orders", "revenue_cents")
# All of it placed before the customer's own instant, whatever became of it since.
COVARIATES = (
    "orders_before",
    "revenue_before_cents",
    "orders_28d",
    "orders_90d",
    "revenue_28d_cents",
    "revenue_90d_cents",
    "recency",
)
SPENDING = "lan_demets_obrien_fleming"


@dataclass(frozen=True, slots=True, kw_only=True)
class ProofPlan:
    """The window in `days`, the share held out, and how the interval's `level` is spent over the daily looks."""

    days: int
    holdout: float
    metrics: tuple[str, ...] = METRICS
    level: float = ERROR_LEVEL
    spending: str = SPENDING
    redraws: int = REDRAWS
    covariates: tuple[str, ...] = COVARIATES
    fewest_with_outcome: int = FEWEST_PER_LOOK

    def as_json(self) -> dict[str, object]:
        """Return it for scripts."""
        return asdict(self)


def plan_of(definition: Definition) -> ProofPlan:
    """Return the plan of a launch of this definition."""
    return ProofPlan(days=definition.attribution_days, holdout=definition.holdout)


def to_text(plan: ProofPlan) -> str:
    """Return the plan as its run stores it."""
    return orjson.dumps(plan.as_json()).decode()


def from_text(text: str | None, definition: Definition) -> ProofPlan:
    """Return the stored plan; of a run launched before plans were stored, the one its definition gives."""
    if text is None:
        return plan_of(definition)
    stored = orjson.loads(text)
    return ProofPlan(**stored | {name: tuple(stored[name]) for name in ("metrics", "covariates")})
