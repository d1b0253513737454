"""What an operator may choose about the customer table: one YAML file, every key optional.

Lies at `<home>/customers.yaml` unless the command names another. Each section is a frozen dataclass below; a field's
metadata holds its meaning and its range, from which both the check and the guide's table are made.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from pathlib import Path

from engine.errors import BadDefinition, MissingFile
from engine.files.sections import key as _key
from engine.files.sections import mapping, section
from engine.files.yaml import read_yaml
from engine.history.dayparts import Dayparts

CUSTOMER_CONFIG_FILE = "customers.yaml"


@dataclass(frozen=True, slots=True)
class Rfm:
    """Recency, frequency, monetary."""

    window_days: int = _key(365, "How far back frequency, monetary, tiers and A/B/C/D look.", 1, 36_500)


@dataclass(frozen=True, slots=True)
class Tiers:
    """Shares of customers who ever ordered, from the top."""

    platinum: float = _key(0.01, "Top share of customers by margin.")
    gold: float = _key(0.04, "The next share.")
    iron: float = _key(0.15, "The next share; the rest are lead.")


@dataclass(frozen=True, slots=True)
class Abcd:
    """Shares of value in the window, from the top."""

    a: float = _key(0.80, "A together make up this share of value.")
    b: float = _key(0.15, "B make up the next share; C the rest; D have no order in the window.")


@dataclass(frozen=True, slots=True)
class Loyalty:
    """Repurchase."""

    repurchase_days: int = _key(30, "An order day counts as repurchased when another follows within this.", 1, 3_650)


@dataclass(frozen=True, slots=True)
class Cadence:
    """Own gaps, and how long a silence means what."""

    slowing: float = _key(0.75, "Slowing once a silence is longer than this share of the customer's gaps.", 0.01, 0.999)
    likely_lapsed: float = _key(0.90, "The same for likely lapsed; above slowing.", 0.01, 0.999)
    lapsed: float = _key(0.97, "The same for lapsed; above likely lapsed.", 0.01, 0.9999)
    min_days: float = _key(3.0, "No silence shorter than this means anything.", 0, 3_650)
    max_days: float = _key(730.0, "Any silence longer than this is a lapse.", 1, 36_500)
    new_days: int = _key(30, "A customer is new for this long after the first order.", 0, 3_650)


@dataclass(frozen=True, slots=True)
class LifetimeValue:
    """BG/NBD or MBG/NBD with Gamma-Gamma."""

    model: str = _key("auto", "auto chooses by held-out likelihood.", choices=("auto", "bg_nbd", "mbg_nbd"))
    count: str = _key("day", "Orders of one day count once (day) or each (order).", choices=("day", "order"))
    holdout_share: float = _key(0.33, "Newest share of history that chooses the model.", 0.05, 0.9)


@dataclass(frozen=True, slots=True)
class Churn:
    """The chance of no order in the next N days."""

    horizon_days: int = _key(90, "N where the command names none.", 1, 3_650)
    sample: int = _key(60_000, "At most so many customers train and test the churn model.", 1_000, 10_000_000)


@dataclass(frozen=True, slots=True)
class Satisfaction:
    """When a customer counts as unhappy."""

    low_rating: float = _key(2.0, "A rating at or below this is unhappy.", 1, 5)
    unhappy_days: int = _key(30, "How long an unhappy order keeps a customer on the list.", 1, 3_650)
    low_nps: float = _key(6.0, "An NPS answer (0-10) at or below this is unhappy.", 0, 10)
    low_csat: float = _key(2.0, "A CSAT answer (1-5) at or below this is unhappy.", 1, 5)


@dataclass(frozen=True, slots=True)
class Groups:
    """Natural groups (k-means)."""

    k_min: int = _key(3, "Fewest groups tried.", 2, 20)
    k_max: int = _key(8, "Most groups tried; the largest mean silhouette wins.", 2, 20)


@dataclass(frozen=True, slots=True)
class CustomerConfig:
    """Everything an operator may choose about the customer table."""

    rfm: Rfm = Rfm()
    tiers: Tiers = Tiers()
    abcd: Abcd = Abcd()
    loyalty: Loyalty = Loyalty()
    cadence: Cadence = Cadence()
    lifetime_value: LifetimeValue = LifetimeValue()
    returning: Churn = Churn()
    dayparts: Dayparts = Dayparts()
    satisfaction: Satisfaction = Satisfaction()
    groups: Groups = Groups()


CUSTOMER_CONFIG_SECTIONS: dict[str, type] = {f.name: type(f.default) for f in fields(CustomerConfig)}


def read_customer_config(path: Path | None, *, home: Path) -> CustomerConfig:
    """Read `path`, or `<home>/customers.yaml` where None; defaults where that file is absent.

    Raises MissingFile when `path` names no file, BadDefinition with the wrong key's path otherwise.
    """
    file = path or home / CUSTOMER_CONFIG_FILE
    if not file.exists():
        if path is not None:
            raise MissingFile("no such file", where=str(path))
        return CustomerConfig()
    content = read_yaml(file)
    return parse_customer_config(content, where=file.name)


def parse_customer_config(content: object, *, where: str = CUSTOMER_CONFIG_FILE) -> CustomerConfig:
    """Check a parsed YAML document; `where` starts every path. Raises BadDefinition."""
    if content is None:
        return CustomerConfig()
    sections = mapping(content, CUSTOMER_CONFIG_SECTIONS, where)
    built = {
        name: CUSTOMER_CONFIG_SECTIONS[name](**section(CUSTOMER_CONFIG_SECTIONS[name], values, f"{where}.{name}"))
        for name, values in sections.items()
    }
    config = CustomerConfig(**built)
    _check_together(config, where)
    return config


def customer_config_keys() -> list[tuple[str, object, str]]:
    """Return (section.key, default, meaning) of every key, for the guide."""
    return [
        (f"{name}.{f.name}", f.default, f.metadata["about"])
        for name, kind in CUSTOMER_CONFIG_SECTIONS.items()
        for f in fields(kind)
    ]


def _check_together(config: CustomerConfig, where: str) -> None:
    tiers, abcd, cadence, groups = config.tiers, config.abcd, config.cadence, config.groups
    hours = list(config.dayparts.starts().values())
    checks = (
        (tiers.platinum + tiers.gold + tiers.iron <= 1, "tiers", "the three shares together are more than 1"),
        (abcd.a + abcd.b <= 1, "abcd", "the two shares together are more than 1"),
        (cadence.slowing < cadence.likely_lapsed < cadence.lapsed, "cadence",
         "must rise: slowing, likely_lapsed, lapsed"),
        (cadence.min_days < cadence.max_days, "cadence.max_days", "must be above min_days"),
        (groups.k_min <= groups.k_max, "groups.k_max", "must be at least k_min"),
        (hours == sorted(set(hours)), "dayparts", "hours must rise from breakfast to late"),
    )  # fmt: skip
    for good, key, message in checks:
        if not good:
            raise BadDefinition(message, where=f"{where}.{key}")
