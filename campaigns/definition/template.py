"""Message templates of marketers: Liquid, compiled strictly, rendered within bounds; they cannot run code."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from liquid import BoundTemplate, Environment, FalsyStrictUndefined
from liquid.exceptions import LiquidError, UndefinedError

from engine.errors import BadDefinition, did_you_mean

TemplateValues = Mapping[str, Mapping[str, object]]

MAX_SOURCE = 10_000
TAGS = frozenset({"if", "unless", "case", "for", "break", "continue", "assign", "comment"})
# No filter that can multiply text (replace, split, join, times): in a loop it would grow without end.
FILTERS = frozenset(
    {
        "abs", "append", "at_least", "at_most", "capitalize", "ceil", "date", "default", "downcase", "escape", "floor",
        "minus", "plus", "prepend", "round", "size", "strip", "truncate", "upcase", "url_encode",
    }
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Variable:
    """A value messages may use; an `optional` one may be missing, so the text must read well without it."""

    name: str
    about: str
    example: object
    optional: bool = False
    needs_offer: bool = False


VARIABLES = (
    Variable("customer.id", "As orders name them.", "c-1001"),
    Variable("customer.name", "As given at sign-up.", "Mei", optional=True),
    Variable("customer.days_since_last_order", "Whole days; missing without an order.", 42, optional=True),
    Variable("customer.orders", "Delivered orders so far.", 3),
    Variable("favourite.name", "The dish they order most, where known.", "Mapo tofu", optional=True),
    Variable("offer.name", "The offer's name in their language.", "$5 off", needs_offer=True),
    Variable("offer.amount", "What it takes off, with its sign.", "$5", needs_offer=True),
    Variable("offer.min_spend", "Least basket; missing where none.", "$20", optional=True, needs_offer=True),
    Variable("coupon.code", "Their own code.", "SAMPLE-CODE-ONLY", needs_offer=True),
    Variable("coupon.expires_on", "Last day it holds, in their time zone.", "2026-12-01", needs_offer=True),
)


class _Environment(Environment):
    """Liquid with bounds: a template can neither loop nor grow without end."""

    loop_iteration_limit: ClassVar[int | None] = 1_000
    output_stream_limit: ClassVar[int | None] = 20_000
    local_namespace_limit: ClassVar[int | None] = 50_000
    context_depth_limit: ClassVar[int] = 20


def _environment() -> _Environment:
    environment = _Environment(undefined=FalsyStrictUndefined, strict_filters=True)
    for name in set(environment.tags) - TAGS - {"content", "output", "illegal", "#"}:
        del environment.tags[name]
    for name in set(environment.filters) - FILTERS:
        del environment.filters[name]
    return environment


ENVIRONMENT = _environment()


@dataclass(frozen=True, slots=True)
class Template:
    """A compiled template; `where` is its field path."""

    where: str
    compiled: BoundTemplate

    def render(self, values: TemplateValues) -> str:
        """Return the text for `values` (group -> name -> value); a None is a missing value and prints nothing.

        Raises BadDefinition when the template breaks its bounds or a filter cannot take a value.
        """
        try:
            return self.compiled.render(**values).strip()
        except (LiquidError, ArithmeticError, ValueError, TypeError) as error:
            raise BadDefinition(_sentence(error), where=self.where) from error


def compile_template(text: object, *, where: str, has_offer: bool) -> Template:
    """Compile and check a template: syntax, variables, filters, bounds, and how it reads without optional values.

    Raises BadDefinition naming what is wrong.
    """
    if not isinstance(text, str) or not text.strip():
        raise BadDefinition("expected text", where=where)
    if len(text) > MAX_SOURCE:
        raise BadDefinition(f"longer than {MAX_SOURCE} characters", where=where)
    try:
        compiled = ENVIRONMENT.from_string(text)
        analysis = compiled.analyze(include_partials=False)
    except (LiquidError, RecursionError) as error:
        raise BadDefinition(_sentence(error), where=where) from error
    for name in analysis.filters:
        if name not in FILTERS:
            raise BadDefinition(f"unknown filter {name!r}{did_you_mean(name, FILTERS)}", where=where)
    allowed = {each.name: each for each in VARIABLES}
    for uses in analysis.globals.values():
        for use in uses:
            variable = allowed.get(str(use))
            if variable is None:
                raise BadDefinition(f"unknown variable {str(use)!r}{did_you_mean(str(use), allowed)}", where=where)
            if variable.needs_offer and not has_offer:
                raise BadDefinition(f"{str(use)!r} needs an offer, and this campaign has none", where=where)
    template = Template(where, compiled)
    template.render(_nested({each.name: each.example for each in VARIABLES}))
    _check_without_optional(template)
    return template


def _check_without_optional(template: Template) -> None:
    bare = _nested({each.name: each.example for each in VARIABLES if not each.optional})
    try:
        text = template.compiled.render(**bare)
    except UndefinedError as error:
        # The first line reads "customer.name is undefined".
        name = str(error).split()[0]
        raise BadDefinition(
            f"{name} may be missing; say what stands for it, as in {{{{ {name} | default: '...' }}}}, "
            f"or guard it with {{% if {name} %}}",
            where=template.where,
        ) from error
    except (LiquidError, ArithmeticError, ValueError, TypeError) as error:
        raise BadDefinition(_sentence(error), where=template.where) from error
    if not text.strip():
        raise BadDefinition("says nothing when every optional value is missing", where=template.where)


def _nested(flat: Mapping[str, object]) -> dict[str, dict[str, object]]:
    nested: dict[str, dict[str, object]] = {each.name.split(".")[0]: {} for each in VARIABLES}
    for name, value in flat.items():
        group, key = name.split(".")
        nested[group][key] = value
    return nested


def _sentence(error: BaseException) -> str:
    lines = str(error).strip().splitlines() or [type(error).__name__]
    place = next((line.rsplit(" ", 1)[-1] for line in lines[1:2]), "")
    line_no = place.split(":")[0]
    return f"line {line_no}: {lines[0]}" if line_no.isdigit() else lines[0]
