"""Ids that share an address are one person; addresses of tills and placeholders join nobody."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from operator import eq

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.columns import CUSTOMERS
from engine.customers.duplicates import MOST_IDS, SamePerson, find_duplicates, people_of
from engine.errors import InputError
from engine.files.encryption import Seal, seal_of
from engine.settings import Settings


@pytest.fixture
def seal(settings: Settings) -> Seal:
    return seal_of(settings)


def registered(seal: Seal, people: Mapping[str, Mapping[str, str | None]]) -> pl.DataFrame:
    rows = [
        {"customer_id": each, **{name: None if text is None else seal.seal(text) for name, text in contact.items()}}
        for each, contact in people.items()
    ]
    return pl.DataFrame([{name: row.get(name) for name in CUSTOMERS} for row in rows], schema=CUSTOMERS)


def pair(seal: Seal, column: str, one: str, other: str) -> bool:
    return bool(find_duplicates(registered(seal, {"a": {column: one}, "b": {column: other}}), seal))


@pytest.mark.parametrize(
    ("column", "one", "other"),
    [
        ("email", "ann@example.com", " Ann@Example.COM "),
        ("phone", "+86 138 0000 0001", "+8613800000001"),
        ("phone", "+86 138 0000 0001", "138-0000-0001"),
        ("phone", "0086 13800000001", "+8613800000001"),
        ("phone", "8613800000001", "+8613800000001"),
        ("phone", "+49 30 1234567", "030 1234567"),
        ("phone", "１３８００００００１１", "13800000011"),
        ("push_token", "tok-1", "tok-1"),
    ],
)
def test_the_same_address_in_two_spellings_is_one_person(seal: Seal, column: str, one: str, other: str) -> None:
    assert pair(seal, column, one, other)


@pytest.mark.parametrize(
    ("column", "one", "other"),
    [
        ("email", "ann@example.com", "anna@example.com"),
        ("phone", "+8613800000001", "+113800000001"),
        ("phone", "123456", "123456"),
        ("phone", "n/a", "n/a"),
        ("push_token", "Tok-1", "tok-1"),
        ("name", "Li Wei", "Li Wei"),
        ("email", " ", " "),
    ],
)
def test_other_addresses_and_placeholders_are_other_people(seal: Seal, column: str, one: str, other: str) -> None:
    assert not pair(seal, column, one, other)


def test_a_number_without_country_code_that_fits_two_joins_neither(seal: Seal) -> None:
    people = {"a": {"phone": "+8613800000001"}, "b": {"phone": "+4413800000001"}, "c": {"phone": "13800000001"}}
    assert find_duplicates(registered(seal, people), seal) == []


def test_who_shares_with_one_and_with_another_is_one_person_with_both(seal: Seal) -> None:
    people: dict[str, dict[str, str | None]] = {
        "pos-3": {"phone": "+8613800000001", "email": None},
        "app-7": {"phone": "+8613800000001", "email": "ann@example.com"},
        "web-1": {"phone": None, "email": "ANN@example.com"},
        "web-2": {"phone": None, "email": "bob@example.com"},
    }
    assert find_duplicates(registered(seal, people), seal) == [
        SamePerson(("app-7", "pos-3", "web-1"), ("email", "phone"))
    ]
    known = people_of(registered(seal, people), seal)
    assert known.person("web-1") == known.person("pos-3") == "app-7"
    assert known.ids("web-2") == ("web-2",)
    assert known.everyone(["web-1", "web-2", "pos-3"]) == ["app-7", "pos-3", "web-1", "web-2"]


def test_an_address_of_very_many_ids_joins_nobody(seal: Seal) -> None:
    many = {f"c{i}": {"email": "till@example.com"} for i in range(MOST_IDS + 1)}
    assert find_duplicates(registered(seal, many), seal) == []
    assert len(find_duplicates(registered(seal, dict(list(many.items())[1:])), seal)) == 1


def test_a_table_of_another_key_says_so(seal: Seal, settings: Settings) -> None:
    table = registered(seal, {"a": {"email": "x@example.com"}})
    other = seal_of(replace(settings, home=settings.home / "other"))
    with pytest.raises(InputError, match="another key"):
        find_duplicates(table, other)


@given(st.dictionaries(st.sampled_from("abcdefgh"), st.tuples(st.integers(0, 4), st.integers(0, 4)), min_size=1))
def test_persons_are_the_connected_ids_each_in_one_group(contacts: dict[str, tuple[int, int]]) -> None:

    class Plain:
        seal = staticmethod(lambda text: text)
        unseal = staticmethod(lambda text: text)

    people = {who: {"email": f"e{mail}@x.org", "push_token": f"t{token}"} for who, (mail, token) in contacts.items()}
    found = find_duplicates(registered(Plain(), people), Plain())  # type: ignore[arg-type]
    groups = [set(one.customer_ids) for one in found]
    assert sum(map(len, groups)) == len(set().union(*groups) if groups else set())
    for one, (mail, token) in contacts.items():
        for other, (mail2, token2) in contacts.items():
            if one != other and (mail == mail2 or token == token2):
                assert any({one, other} <= group for group in groups)
    for group in groups:
        for one in group:
            alike = [o for o in group if o != one and any(map(eq, contacts[one], contacts[o]))]
            assert alike
