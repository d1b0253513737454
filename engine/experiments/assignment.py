"""Who is treated and who is held out: a hash of ids, never a random draw."""

from __future__ import annotations

from enum import StrEnum
from hashlib import blake2b

GLOBAL_SALT = "global"
GLOBAL_HOLDOUT = 0.05
MAX_GLOBAL_HOLDOUT = 0.15


class Arm(StrEnum):
    """A customer's arm in one campaign."""

    TREATED = "treated"
    HELD_GLOBAL = "held_global"
    HELD_CAMPAIGN = "held_campaign"


def bucket(salt: str, customer_id: str) -> float:
    """Return a point in [0, 1) fixed by salt and customer; different salts are independent.

    The hash has 64 bits and a float 53, so the lowest bits are dropped: rounding up could make it 1.
    """
    digest = blake2b(f"{salt}:{customer_id}".encode(), digest_size=8).digest()
    return (int.from_bytes(digest, "big") >> 11) / 2**53


def assign(customer_id: str, *, campaign_id: str, holdout: float, global_holdout: float = GLOBAL_HOLDOUT) -> Arm:
    """Return the customer's arm: the global holdout first, then the campaign's own share of the rest.

    `holdout` and `global_holdout` are shares from 0 (nobody) to 1. A campaign's salt is its id, so two campaigns hold
    out different people, while the global holdout is the same people everywhere.
    Raises ValueError for a global holdout above MAX_GLOBAL_HOLDOUT: so many left alone costs more than it teaches.
    """
    if not 0 <= global_holdout <= MAX_GLOBAL_HOLDOUT:
        raise ValueError(f"the global holdout must be from 0 to {MAX_GLOBAL_HOLDOUT}, not {global_holdout}")
    if bucket(GLOBAL_SALT, customer_id) < global_holdout:
        return Arm.HELD_GLOBAL
    # The prefix keeps a campaign that calls itself "global" apart from the global holdout.
    if bucket(f"campaign:{campaign_id}", customer_id) < holdout:
        return Arm.HELD_CAMPAIGN
    return Arm.TREATED
