"""As of when, and by which configuration, customers are looked at: options and how they are read."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from engine.customers.config import CustomerConfig
    from engine.customers.moment import Moment
    from engine.settings import Settings


ConfigOption = Annotated[
    Path | None,
    typer.Option("--config", help="YAML of windows, shares and thresholds; default customers.yaml in the home."),
]
AsOfOption = Annotated[
    str | None,
    typer.Option(
        "--as-of",
        help="A date (its whole day counts) or an instant; days are cut in REGULARS_TIMEZONE. Default: the day of the "
        "newest order, survey answer or complaint.",
        show_default=False,
    ),
]


def config_for(settings: Settings, path: Path | None) -> CustomerConfig:
    """Return the configuration `path` names, else the home's."""
    from engine.customers.config import read_customer_config  # noqa: PLC0415

    return read_customer_config(path, home=settings.home)


@contextmanager
def inbox_of(settings: Settings) -> Iterator[Engine | None]:
    """Lend the home's database for reading; None where it has none yet, and none is made."""
    from engine.database.session import connect, exists  # noqa: PLC0415

    database = connect(settings) if exists(settings) else None
    try:
        yield database
    finally:
        if database is not None:
            database.dispose()


def moment_for(settings: Settings, text: str | None, database: Engine | None = None) -> Moment:
    """Return the moment `text` says, else that of the newest order or, where `database` has some, newer feedback."""
    from engine.customers.moment import read_moment  # noqa: PLC0415
    from engine.customers.store import newest_moment  # noqa: PLC0415

    if text is None:
        return newest_moment(settings, now=datetime.now(UTC), database=database)
    return read_moment(text, settings.timezone)
