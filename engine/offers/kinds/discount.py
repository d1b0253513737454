"""What every kind of offer declares, and the registry of kinds."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from typing import ClassVar, Self, TypeVar, cast

from engine.errors import BadDefinition, did_you_mean
from engine.offers.basket import Basket
from engine.offers.kinds.fields import TermField


class Discount(ABC):
    """What an offer takes off; each kind is a frozen dataclass of figures in minor units or hundredths of a percent.

    `kind` is its name in definitions, tables and terms; `fields` names the reader of each of the dataclass's figures.
    """

    __slots__ = ()
    kind: ClassVar[str]
    fields: ClassVar[Mapping[str, TermField]]

    @abstractmethod
    def saving(self, basket: Basket) -> int:
        """Return what it takes off `basket`, whatever its minimum spend, in minor units; never below 0."""

    @abstractmethod
    def ceiling_cents(self) -> int | None:
        """Return the most it takes off one basket; None where nothing bounds it."""

    @abstractmethod
    def worth(self, currency: str, language: str) -> str:
        """Return what it takes off in words: `$5`, `20%`, `free delivery`; English for every language but zh."""

    def title(self, currency: str, language: str) -> str:
        """Return the name of an offer that was given none."""
        worth = self.worth(currency, language)
        return f"立减 {worth}" if language == "zh" else f"{worth} off"

    def shortfall(self, more: str, currency: str, language: str) -> str:
        """Return the sentence that asks to spend `more` (an amount in words) to reach the minimum spend."""
        worth = self.worth(currency, language)
        return f"再加 {more} 立减 {worth}" if language == "zh" else f"{more} more for {worth} off"

    @classmethod
    def from_definition(cls, tree: Mapping[object, object], currency: str) -> Self:
        """Return the discount a campaign's YAML writes, amounts in major units. Raises BadDefinition with the path."""
        taken = {each: field for each, field in cls.fields.items() if field.in_definition}
        return cls._of({each: field.of_definition(tree.get(field.name), currency) for each, field in taken.items()})

    @classmethod
    def from_row(cls, row: Mapping[str, object], where: str) -> Self:
        """Return the discount of a row of the offers table. Raises BadDefinition naming row and column."""
        return cls._of({each: field.of_row(row[field.column], where) for each, field in cls.fields.items()})

    @classmethod
    def from_terms(cls, terms: Mapping[str, int | None]) -> Self:
        """Return the discount whose `to_terms` gave `terms`; other names in it are ignored."""
        return cls._of({each: terms[each] for each in cls.fields})

    def to_terms(self) -> dict[str, int | None]:
        """Return its figures by name."""
        return {each: getattr(self, each) for each in self.fields}

    @classmethod
    def _of(cls, figures: Mapping[str, int | None]) -> Self:
        return cast("Callable[..., Self]", cls)(**figures)


OFFER_KINDS: dict[str, type[Discount]] = {}
AnyKind = TypeVar("AnyKind", bound=type[Discount])


def register_kind(kind: AnyKind) -> AnyKind:
    """Make a kind known to definitions, imports, tables and coupons; decorates its class.

    Raises ValueError when another class has its name.
    """
    if OFFER_KINDS.setdefault(kind.kind, kind) is not kind:
        raise ValueError(f"there is an offer kind {kind.kind!r} already")
    return kind


def kind_named(name: object, where: str) -> type[Discount]:
    """Return the kind of that name. Raises BadDefinition, with the nearest name, where there is none."""
    kind = OFFER_KINDS.get(name) if isinstance(name, str) else None
    if kind is None:
        raise BadDefinition(f"unknown kind{did_you_mean(str(name), OFFER_KINDS)}", where=where)
    return kind
