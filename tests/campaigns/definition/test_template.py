"""Messages are Liquid within bounds: wrong ones are refused when written, none can run code or run away."""

from __future__ import annotations

import contextlib
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from campaigns.definition.template import FILTERS, VARIABLES, compile_template
from engine.errors import BadDefinition

NOBODY: dict[str, dict[str, object]] = {
    "customer": {"id": "c1", "name": None, "orders": 0, "days_since_last_order": None},
    "favourite": {"name": None},
    "offer": {"name": "x", "amount": "$5", "min_spend": None},
    "coupon": {"code": "AAAA", "expires_on": "2026-01-01"},
}


def render(text: str, **customer: object) -> str:
    template = compile_template(text, where="message.en.body", has_offer=True)
    return template.render(NOBODY | {"customer": NOBODY["customer"] | customer})


def refusal(text: object, *, has_offer: bool = True) -> str:
    with pytest.raises(BadDefinition) as refused:
        compile_template(text, where="message.en.body", has_offer=has_offer)
    assert refused.value.where == "message.en.body"
    return refused.value.message


def test_values_are_filled_in_and_missing_ones_replaced() -> None:
    text = "Hi {{ customer.name | default: 'there' }}, {{ customer.orders }} orders"
    assert render(text, name="Mei", orders=3) == "Hi Mei, 3 orders"
    assert render(text) == "Hi there, 0 orders"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{{ customer.nme }}", "unknown variable 'customer.nme'; did you mean 'customer.name'?"),
        ("{{ customer }}", "unknown variable 'customer'"),
        ("{{ secret.key }}", "unknown variable 'secret.key'"),
        ("{{ customer.__class__ }}", "unknown variable 'customer.__class__'"),
        ("{{ customer['name']['x'] }}", "unknown variable 'customer.name.x'"),
        ("{% if customer.rich %}x{% endif %}", "unknown variable 'customer.rich'"),
        ("{{ customer.id | uppercase }}", "unknown filter 'uppercase'; did you mean 'upcase'?"),
        ("{{ customer.id | base64_encode }}", "unknown filter 'base64_encode'"),
        ("{% include 'x' %}", "line 1: unexpected tag 'include'"),
        ("hello\n{{ customer.id ", "line 2"),
        ("{% if customer.id %}x", "expected tag endif"),
        ("{{ customer.name }}", "customer.name may be missing; say what stands for it"),
        ("Hi{% if customer.id %} {{ favourite.name }}{% endif %}", "favourite.name may be missing"),
        ("{{ customer.name | default: '' }}", "says nothing when every optional value is missing"),
        ("", "expected text"),
        (7, "expected text"),
        ("x" * 10_001, "longer than"),
    ],
)
def test_a_wrong_template_is_refused_when_it_is_written(text: object, message: str) -> None:
    assert refusal(text).startswith(message)


def test_an_offers_words_need_an_offer() -> None:
    assert "needs an offer" in refusal("{{ coupon.code }}", has_offer=False)


@pytest.mark.parametrize(
    "text",
    [
        "{% for i in (1..1000000000) %}a{% endfor %}",
        "{% for i in (1..900) %}{% for j in (1..900) %}a{% endfor %}{% endfor %}",
        "{% assign a = 'aaaa' %}{% for i in (1..900) %}{% assign a = a | append: a %}{% endfor %}{{ a }}",
        "{% for i in (1..999) %}{{ customer.id | append: '" + "a" * 400 + "' }}{% endfor %}",
        "{% if true %}" * 200 + "x" + "{% endif %}" * 200,
    ],
)
def test_a_template_that_would_run_away_ends_in_an_error_at_once(text: str) -> None:
    began = time.monotonic()
    refusal(text)
    assert time.monotonic() - began < 2


@given(st.text(max_size=60))
def test_no_text_a_marketer_writes_ends_in_anything_but_a_message_or_a_refusal(text: str) -> None:
    for each in (text, "{{ " + text + " }}", "{% " + text + " %}"):
        with contextlib.suppress(BadDefinition):
            assert isinstance(render(each), str)


# Liquid writes a carriage return as a line feed.
@given(st.text(st.characters(exclude_characters="\r", codec="utf-8"), max_size=30))
def test_what_a_customer_is_called_is_never_read_as_a_template(name: str) -> None:
    text = render("<{{ customer.name | default: 'there' }}>", name="{{ coupon.code }}{% if %}" + name)
    assert text == "<{{ coupon.code }}{% if %}" + name + ">"


def test_every_variable_may_be_used() -> None:
    for variable in VARIABLES:
        compile_template(f"x {{{{ {variable.name} | default: 'y' }}}}", where="b", has_offer=True)


def test_the_filters_offered_are_all_there() -> None:
    for name in FILTERS - {"append", "prepend", "plus", "minus", "at_least", "at_most", "date", "default", "truncate"}:
        compile_template(f"x {{{{ customer.orders | {name} }}}}", where="b", has_offer=True)
    assert render("{{ '2026-03-01' | date: '%d.%m.' }}") == "01.03."
