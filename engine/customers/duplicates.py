"""Which customer ids are one person: those that share an e-mail address, a phone number or a device."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

import polars as pl

from engine.files.encryption import Seal

SHARED_BY = {"email": "email", "phone": "phone", "push_token": "device"}
# An address that more ids share is a till's, a company's or a placeholder: it says nothing about who they are.
MOST_IDS = 20
# Shorter numbers are extensions and placeholders, and too often equal by chance.
FEWEST_DIGITS = 7
COUNTRY_CODE_DIGITS = range(1, 4)


@dataclass(frozen=True, slots=True)
class SamePerson:
    """Ids, sorted, that are one person, and by what they were found: email, phone, device."""

    customer_ids: tuple[str, ...]
    shared: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Identities:
    """Who is whom among customer ids; an id in no group is a person of its own."""

    groups: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def ids(self, customer_id: str) -> tuple[str, ...]:
        """Return every id of the person behind `customer_id`, that one included."""
        return self.groups.get(customer_id, (customer_id,))

    def person(self, customer_id: str) -> str:
        """Return the one id that stands for the person: the first in order of text."""
        return self.ids(customer_id)[0]

    def everyone(self, customer_ids: Iterable[str]) -> list[str]:
        """Return every id of the persons behind `customer_ids`, each once."""
        return list(dict.fromkeys(each for customer_id in customer_ids for each in self.ids(customer_id)))


def find_duplicates(customers: pl.DataFrame, seal: Seal) -> list[SamePerson]:
    """Return the persons with several ids in the customers table (schema CUSTOMERS, sealed), in order of their first.

    E-mail addresses are compared without case. A phone number without a country code is the one with it where only one
    such number is known. Values shared by more than MOST_IDS ids are placeholders and join nobody.
    Raises InputError when the table was sealed with another key.
    """
    leader: dict[str, str] = {}

    def lead(customer_id: str) -> str:
        while (above := leader.get(customer_id, customer_id)) != customer_id:
            leader[customer_id] = leader.get(above, above)
            customer_id = above
        return customer_id

    why: list[tuple[str, str]] = []
    for column, shared in SHARED_BY.items():
        for ids in _sharing(customers, column, seal):
            first = min(ids)
            for each in ids:
                one, other = sorted((lead(first), lead(each)))
                leader[other] = one
            why.append((first, shared))
    members: defaultdict[str, set[str]] = defaultdict(set)
    for each in leader:
        members[lead(each)].add(each)
    reasons: defaultdict[str, set[str]] = defaultdict(set)
    for first, shared in why:
        reasons[lead(first)].add(shared)
    return [
        SamePerson(tuple(sorted(members[person] | {person})), tuple(sorted(reasons[person])))
        for person in sorted(members)
    ]


def people_of(customers: pl.DataFrame, seal: Seal) -> Identities:
    """Return who is whom in the customers table; raises as `find_duplicates` does."""
    return Identities({each: one.customer_ids for one in find_duplicates(customers, seal) for each in one.customer_ids})


def _sharing(customers: pl.DataFrame, column: str, seal: Seal) -> Iterator[set[str]]:
    """Yield the ids, at least two and at most MOST_IDS, that share a value of `column`."""
    # Equal text is sealed equally, so each value is opened once.
    table = customers.lazy().select("customer_id", column).drop_nulls().group_by(column).agg("customer_id").collect()
    by_value: defaultdict[str, set[str]] = defaultdict(set)
    for sealed, ids in table.iter_rows():
        plain = seal.unseal(sealed)
        if value := _plain_phone(plain) if column == "phone" else _plain(plain, fold=column == "email"):
            by_value[value].update(ids)
    if column == "phone":
        _join_country_codes(by_value)
    for ids in by_value.values():
        if 1 < len(ids) <= MOST_IDS:
            yield ids


def _plain(text: str, *, fold: bool) -> str:
    return text.strip().casefold() if fold else text.strip()


def _plain_phone(text: str) -> str:
    """Return the digits, after a `+` where the number has its country code; empty where there are too few."""
    number = re.sub(r"^\s*00", "+", text)
    digits = "".join(str(int(sign)) for sign in number if sign.isdecimal())
    if len(digits) < FEWEST_DIGITS:
        return ""
    return f"+{digits}" if number.strip().startswith(("+", "＋", "(+")) else digits.removeprefix("0")


def _join_country_codes(by_number: defaultdict[str, set[str]]) -> None:
    """Give the ids of a number without a country code to the one number that has it and ends alike."""
    endings: defaultdict[str, list[str]] = defaultdict(list)
    for number in by_number:
        if number.startswith("+"):
            for digits in COUNTRY_CODE_DIGITS:
                endings[number[1 + digits :]].append(number)
    for number in [each for each in by_number if not each.startswith("+")]:
        # `86138...` typed without its plus is the same number too.
        whole = [f"+{number}"] if f"+{number}" in by_number else endings.get(number, [])
        if len(whole) == 1:
            by_number[whole[0]] |= by_number.pop(number)
