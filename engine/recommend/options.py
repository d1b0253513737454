"""How lists are arranged and what fresh signs count: `recommend.yaml` in the home, every key optional.

The defaults leave the models' order alone: whatever could cost accuracy is off until an operator, or a request, asks.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from pathlib import Path

from engine.errors import BadDefinition
from engine.files.sections import key, mapping, section
from engine.files.yaml import read_yaml

FILE = "recommend.yaml"


@dataclass(frozen=True, slots=True)
class ListOptions:
    """How a list is arranged; a request may set each of these for itself."""

    repeat_min: float = key(0.0, "Least share of dishes the customer has ordered before, while there are such.")
    repeat_max: float = key(1.0, "Largest share of dishes the customer has ordered before, while there are others.")
    most_per_vendor: int = key(0, "Most dishes of one vendor; 0 is no limit.", 0, 100)
    most_per_category: int = key(0, "Most dishes of one category; 0 is no limit.", 0, 100)
    most_per_cuisine: int = key(0, "Most dishes of one cuisine; 0 is no limit.", 0, 100)
    near_duplicates: float = key(
        1.0, "A dish whose name shares this much of its words with one above is left out; 1 leaves none out.", 0.3, 1
    )
    shown_times: int = key(0, "Shown this often and never ordered, a dish counts for less; 0 is off.", 0, 1000)
    shown_days: int = key(14, "How many days back showings count.", 1, 90)
    shown_factor: float = key(0.5, "What is left of the score of a dish shown in vain; 0 puts it last.")
    explore_share: float = key(0.0, "Share of slots given to new dishes by lot, with logged propensity.", 0, 0.5)
    explore_after: int = key(3, "Slots at the top that are never given away by lot.", 0, 100)

    @property
    def rearranges(self) -> bool:
        """Whether anything but the lot can change the models' order."""
        return (
            self.repeat_min > 0
            or self.repeat_max < 1
            or bool(self.most_per_vendor or self.most_per_category or self.most_per_cuisine or self.shown_times)
            or self.near_duplicates < 1
        )


@dataclass(frozen=True, slots=True)
class SignalOptions:
    """What the customer did since their last order counts: how much each sign moves a dish and its neighbours."""

    view: float = key(0.1, "A look at a dish.", 0, 10)
    click: float = key(0.2, "A tap on a dish.", 0, 10)
    cart: float = key(0.5, "A dish put into the cart.", 0, 10)
    rating: float = key(0.7, "A rating of 5; 4 counts half; 2 and below sends the dish to the end.", 0, 10)
    half_life_hours: float = key(6.0, "Views, clicks and carts count half after this.", 0.1, 2000)
    rating_half_life_days: float = key(90.0, "Ratings count half after this.", 1, 3650)
    neighbours: float = key(0.5, "How much of it a dish's nearest neighbour gets; farther ones less.", 0, 1)
    known: float = key(0.3, "How far signs move a list of somebody with orders; 1 is the list's own spread.", 0, 10)
    unknown: float = key(
        2.0, "The same, for somebody without an order and signs on dishes too new for the models.", 0, 10
    )


@dataclass(frozen=True, slots=True)
class Options:
    """Everything an operator may choose about lists."""

    lists: ListOptions = ListOptions()
    signals: SignalOptions = SignalOptions()


SECTIONS: dict[str, type] = {f.name: type(f.default) for f in fields(Options)}


def read_options(home: Path) -> Options:
    """Read `<home>/recommend.yaml`; defaults where it is absent. Raises BadDefinition with the wrong key's path."""
    file = home / FILE
    if not file.exists():
        return Options()
    content = read_yaml(file)
    return parse_options(content)


def parse_options(content: object, *, where: str = FILE) -> Options:
    """Check a parsed YAML document; `where` starts every path. Raises BadDefinition."""
    if content is None:
        return Options()
    given = mapping(content, SECTIONS, where)
    options = Options(
        **{name: SECTIONS[name](**section(SECTIONS[name], v, f"{where}.{name}")) for name, v in given.items()}
    )
    if options.lists.repeat_min > options.lists.repeat_max:
        raise BadDefinition("is above repeat_max", where=f"{where}.lists.repeat_min")
    return options


def describe_options() -> list[tuple[str, object, str]]:
    """Return (section.key, default, meaning) of every key, for the guide."""
    return [
        (f"{name}.{f.name}", f.default, f.metadata["about"]) for name, kind in SECTIONS.items() for f in fields(kind)
    ]
