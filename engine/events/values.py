"""What a property of an event may hold: each kind of value checks one and describes itself as JSON Schema."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import ClassVar, Literal, Protocol

from engine.errors import BadRequest, did_you_mean

# How a segment compares a value; None where segments cannot.
Comparison = Literal["word", "number"] | None
MOST_CENTS = 10**12
MOST_LINES = 200
MOST_QUANTITY = 10_000
LINE_FIELDS = ("item_id", "quantity", "unit_price_cents")


class PropertyValue(Protocol):
    """One kind of value; `compared` is how segments compare it."""

    @property
    def compared(self) -> Comparison:
        """How a segment compares a value."""
        ...

    def check(self, value: object, where: str) -> None:
        """Raise BadRequest at `where` for a value of another kind or out of bounds."""
        ...

    def json_schema(self) -> dict[str, object]:
        """Return the JSON Schema of a value."""
        ...


@dataclass(frozen=True, slots=True)
class TextValue:
    """A text of 1 to `most` characters."""

    most: int = 200
    compared: ClassVar[Comparison] = "word"

    def check(self, value: object, where: str) -> None:
        """Raise BadRequest for anything else."""
        if not isinstance(value, str) or not 0 < len(value) <= self.most:
            raise BadRequest(f"expected text of 1 to {self.most} characters", where=where)

    def json_schema(self) -> dict[str, object]:
        """Return the JSON Schema of a value."""
        return {"type": "string", "minLength": 1, "maxLength": self.most}


@dataclass(frozen=True, slots=True)
class NumberValue:
    """A number from `low` to `high`, both included."""

    low: float
    high: float
    compared: ClassVar[Comparison] = "number"

    def check(self, value: object, where: str) -> None:
        """Raise BadRequest for anything else."""
        if isinstance(value, bool) or not isinstance(value, int | float) or not self.low <= value <= self.high:
            raise BadRequest(f"expected a number from {self.low} to {self.high}", where=where)

    def json_schema(self) -> dict[str, object]:
        """Return the JSON Schema of a value."""
        return {"type": "number", "minimum": self.low, "maximum": self.high}


@dataclass(frozen=True, slots=True)
class CentsValue:
    """An amount of money in whole minor units, 0 or more."""

    compared: ClassVar[Comparison] = None

    def check(self, value: object, where: str) -> None:
        """Raise BadRequest for anything else."""
        if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= MOST_CENTS:
            raise BadRequest("expected whole minor units, 0 or more", where=where)

    def json_schema(self) -> dict[str, object]:
        """Return the JSON Schema of a value."""
        return {"type": "integer", "minimum": 0, "maximum": MOST_CENTS}


@dataclass(frozen=True, slots=True)
class BooleanValue:
    """True or false."""

    compared: ClassVar[Comparison] = None

    def check(self, value: object, where: str) -> None:
        """Raise BadRequest for anything else."""
        if not isinstance(value, bool):
            raise BadRequest("expected true or false", where=where)

    def json_schema(self) -> dict[str, object]:
        """Return the JSON Schema of a value."""
        return {"type": "boolean"}


@dataclass(frozen=True, slots=True)
class ChoiceValue:
    """One of `choices`; `noun` names them in errors."""

    choices: Collection[str]
    noun: str
    compared: ClassVar[Comparison] = "word"

    def check(self, value: object, where: str) -> None:
        """Raise BadRequest for anything else, with the nearest choice."""
        if value not in self.choices:
            raise BadRequest(f"unknown {self.noun}{did_you_mean(str(value), self.choices)}", where=where)

    def json_schema(self) -> dict[str, object]:
        """Return the JSON Schema of a value."""
        return {"enum": list(self.choices)}


@dataclass(frozen=True, slots=True)
class LinesValue:
    """The dishes of an order: 1 to 200 objects {item_id, quantity, unit_price_cents}."""

    compared: ClassVar[Comparison] = None

    def check(self, value: object, where: str) -> None:
        """Raise BadRequest at the first field that is wrong."""
        if not isinstance(value, list) or not 0 < len(value) <= MOST_LINES:
            raise BadRequest(f"expected a list of 1 to {MOST_LINES} lines", where=where)
        for i, line in enumerate(value):
            self._check_line(line, f"{where}[{i}]")

    def _check_line(self, line: object, where: str) -> None:
        if not isinstance(line, dict):
            raise BadRequest(f"expected {{{', '.join(LINE_FIELDS)}}}", where=where)
        for name in line:
            if name not in LINE_FIELDS:
                raise BadRequest(f"unknown property{did_you_mean(name, LINE_FIELDS)}", where=f"{where}.{name}")
        TextValue().check(line.get("item_id") or "", f"{where}.item_id")
        quantity = line.get("quantity", 1)
        if isinstance(quantity, bool) or not isinstance(quantity, int | float) or not 0 < quantity <= MOST_QUANTITY:
            raise BadRequest(f"expected a number above 0 and up to {MOST_QUANTITY:,}", where=f"{where}.quantity")
        if line.get("unit_price_cents") is not None:
            CentsValue().check(line["unit_price_cents"], f"{where}.unit_price_cents")

    def json_schema(self) -> dict[str, object]:
        """Return the JSON Schema of a value."""
        line = {
            "type": "object",
            "required": ["item_id"],
            "additionalProperties": False,
            "properties": {
                "item_id": TextValue().json_schema(),
                "quantity": {"type": "number", "exclusiveMinimum": 0, "maximum": MOST_QUANTITY, "default": 1},
                "unit_price_cents": CentsValue().json_schema(),
            },
        }
        return {"type": "array", "minItems": 1, "maxItems": MOST_LINES, "items": line}


@dataclass(frozen=True, slots=True)
class JointValue:
    """A value whose bounds depend on another property: a rule of the event type checks it, `schema` describes it."""

    schema: Mapping[str, object]
    compared: ClassVar[Comparison] = None

    def check(self, value: object, where: str) -> None:
        """Accept every value."""

    def json_schema(self) -> dict[str, object]:
        """Return the JSON Schema of a value."""
        return dict(self.schema)


def check_point(latitude: object, longitude: object, where: str = "context") -> None:
    """Raise BadRequest where one of the two is given: one alone is no place."""
    if (latitude is None) is not (longitude is None):
        lacking = "latitude" if latitude is None else "longitude"
        raise BadRequest(
            f"latitude and longitude belong together, and {lacking} is missing", where=f"{where}.{lacking}"
        )
