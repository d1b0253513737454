"""What the customers table says of who may be written to: consents as imported, and which ids are one person."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import polars as pl

from engine.customers.duplicates import Identities, people_of
from engine.files.encryption import Seal, seal_of
from engine.history.tables import read_table, table_file
from engine.settings import Settings


@dataclass(frozen=True, slots=True)
class Registered:
    """`consents` has who was asked at the import; `people` which ids are one person."""

    consents: Mapping[str, bool] = field(default_factory=dict)
    people: Identities = field(default_factory=Identities)


def registered_in(customers: pl.DataFrame, seal: Seal) -> Registered:
    """Return what the customers table (schema CUSTOMERS) says; raises InputError when it has another key."""
    consents = dict(customers.select("customer_id", "marketing_consent").drop_nulls().iter_rows())
    return Registered(consents, people_of(customers, seal))


class RegisteredPeople:
    """What the home's customers table says, read again whenever an import replaced it."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._file = table_file(settings, "customers")
        self._seen: tuple[int, int] | None = None
        self._registered = Registered()

    def current(self) -> Registered:
        """Return what the table says now; nothing where there is none."""
        try:
            stat = self._file.stat()
        except FileNotFoundError:
            return Registered()
        stamp = (stat.st_mtime_ns, stat.st_ino)
        if stamp != self._seen:
            self._registered = registered_in(read_table(self._settings, "customers"), seal_of(self._settings))
            self._seen = stamp
        return self._registered
