"""The figures of an offer kind: how a definition, an imported file and the offers table write each."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

import polars as pl

from engine.errors import BadDefinition
from engine.money import minor_units


@dataclass(frozen=True, slots=True, kw_only=True)
class TermField(ABC):
    """One figure: `name` in a definition, `column` in the offers table.

    `required` refuses a table row without it. `missing` is the refusal of a definition without it, with `{currency}`;
    None lets a definition leave it out. `in_definition` False keeps it out of definitions altogether.
    """

    name: str
    column: str
    required: bool = False
    missing: str | None = None
    in_definition: bool = True

    @abstractmethod
    def of_definition(self, value: object, currency: str) -> int | None:
        """Return the figure a definition writes, None where it may be and is left out. Raises BadDefinition."""

    @abstractmethod
    def of_row(self, value: object, where: str) -> int | None:
        """Return the figure of a table's cell, None where it may be and is missing. Raises BadDefinition."""

    def out_of_range(self, cells: pl.Series) -> tuple[pl.Series, str] | None:
        """Return which cells of a file are refused and the refusal's code; None where every number is fine."""
        del cells
        return None


@dataclass(frozen=True, slots=True, kw_only=True)
class AmountField(TermField):
    """An amount: in major units in a definition, minor units in the table."""

    def of_definition(self, value: object, currency: str) -> int | None:
        if value is not None:
            return amount_of(value, currency, self.name)
        if self.missing is not None:
            raise BadDefinition(f"missing; {self.missing.format(currency=currency)}", where=f"offer.{self.name}")
        return None

    def of_row(self, value: object, where: str) -> int | None:
        cents = count_of(value, f"{where}.{self.column}")
        if self.required and not cents:
            raise BadDefinition("expected an amount above 0", where=f"{where}.{self.column}")
        return cents


@dataclass(frozen=True, slots=True, kw_only=True)
class PercentField(TermField):
    """A percentage above 0 and up to 100, held as hundredths of a percent: 12.5 % is 1,250."""

    def of_definition(self, value: object, currency: str) -> int:
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0.01 <= value <= 100:
            raise BadDefinition("expected a percentage from 0.01 to 100", where=f"offer.{self.name}")
        return round(value * 100)

    def of_row(self, value: object, where: str) -> int:
        if not isinstance(value, float) or not 0 < value <= 100:
            raise BadDefinition("expected a percentage above 0 and up to 100", where=f"{where}.{self.column}")
        return round(value * 100)

    def out_of_range(self, cells: pl.Series) -> tuple[pl.Series, str]:
        return (cells <= 0) | (cells > 100), "percent_out_of_range"


def amount_of(value: object, currency: str, name: str) -> int:
    """Return an amount a definition writes in major units as minor units. Raises BadDefinition for 0 and less."""
    cents = minor_units(value, currency)
    if cents is None or cents <= 0:
        raise BadDefinition(f"expected an amount in {currency} above 0, such as 5", where=f"offer.{name}")
    return cents


def count_of(value: object, where: str) -> int | None:
    """Return a whole number of a table's cell, None where it is missing. Raises BadDefinition below 0."""
    if value is None:
        return None
    if not isinstance(value, int) or value < 0:
        raise BadDefinition("expected 0 or more", where=where)
    return value


CAP = AmountField(
    name="cap",
    column="cap_cents",
    missing="the most one coupon may cost in {currency}, else a plan has no cost ceiling",
)


def capped(saving: int, cap_cents: int | None) -> int:
    """Return `saving`, at most the cap where there is one."""
    return saving if cap_cents is None else min(saving, cap_cents)
