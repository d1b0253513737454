"""Settings: built once at the edge from the command line and the environment, then passed in.

Nothing reads the environment at import, so two homes can live in one process (tests do that).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from engine.errors import InputError

DEFAULT_HOME = "./regulars-home"
PROTECTED_GROUPS = "history,orders,recency,value,lifecycle,zone"


def _env(name: str, about: str, default: str) -> Any:
    return field(metadata={"env": name, "about": about, "default": default})


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What an operator may set; every field names its environment variable.

    `database_url` None means SQLite in the home folder; `redis_url` None means the in-process store.
    """

    home: Path = _env("REGULARS_HOME", "Folder with history, artifacts and the default database.", DEFAULT_HOME)
    database_url: str | None = _env(
        "REGULARS_DATABASE_URL", "SQLAlchemy URL; PostgreSQL in production.", "SQLite in the home folder"
    )
    redis_url: str | None = _env(
        "REGULARS_REDIS_URL", "Redis or Valkey URL for the online state.", "in-process store, one worker"
    )
    currency: str = _env("REGULARS_CURRENCY", "ISO 4217 code used where an import names none.", "USD")
    timezone: str = _env("REGULARS_TIMEZONE", "IANA zone used where neither map nor row names one.", "UTC")
    secret_key: str | None = _env(
        "REGULARS_SECRET_KEY",
        "Base64 of 32 bytes that seals personal data at rest.",
        "secret.key in the home folder, made at first use",
    )
    webhook_url: str | None = _env("REGULARS_WEBHOOK_URL", "Where the webhook channel posts messages.", "none")
    webhook_secret: str | None = _env(
        "REGULARS_WEBHOOK_SECRET", "Key that signs webhook messages (Standard Webhooks).", "none"
    )
    allow_private_addresses: bool = _env(
        "REGULARS_ALLOW_PRIVATE_ADDRESSES",
        "`true` lets the webhook channel reach private and loopback addresses.",
        "false",
    )
    protected_groups: tuple[str, ...] = _env(
        "REGULARS_PROTECTED_GROUPS",
        "Kinds of groups in which a trained candidate must not be worse, comma-separated: history, orders, recency, "
        "value, lifecycle, zone, dishes; `none` protects the whole only.",
        PROTECTED_GROUPS,
    )
    log_level: str = _env("REGULARS_LOG_LEVEL", "debug, info, warning or error; logs go to stderr.", "info")

    @classmethod
    def from_environment(cls, env: Mapping[str, str], *, home: Path | None = None) -> Settings:
        """Read settings from `env`; `home` given on the command line wins.

        Raises InputError when a value cannot be used.
        """

        def read(name: str, default: str | None = None) -> str | None:
            return env.get(name, "").strip() or default

        zone = read("REGULARS_TIMEZONE", "UTC") or "UTC"
        try:
            ZoneInfo(zone)
        except (ZoneInfoNotFoundError, ValueError) as error:
            raise InputError(
                f"{zone!r} is not an IANA time zone such as Asia/Shanghai", where="REGULARS_TIMEZONE"
            ) from error
        private = (read("REGULARS_ALLOW_PRIVATE_ADDRESSES", "false") or "").lower()
        if private not in {"true", "false", "1", "0", "yes", "no"}:
            raise InputError(f"{private!r} is neither true nor false", where="REGULARS_ALLOW_PRIVATE_ADDRESSES")
        level = (read("REGULARS_LOG_LEVEL", "info") or "").lower()
        if level not in {"debug", "info", "warning", "error"}:
            raise InputError(
                f"{level!r} is no log level; use debug, info, warning or error", where="REGULARS_LOG_LEVEL"
            )
        protected = read("REGULARS_PROTECTED_GROUPS", PROTECTED_GROUPS) or PROTECTED_GROUPS
        currency = (read("REGULARS_CURRENCY", "USD") or "").upper()
        if len(currency) != 3 or not currency.isalpha():
            raise InputError(f"{currency!r} is not a three-letter currency code", where="REGULARS_CURRENCY")
        return cls(
            home=home or Path(read("REGULARS_HOME", DEFAULT_HOME) or DEFAULT_HOME),
            database_url=read("REGULARS_DATABASE_URL"),
            redis_url=read("REGULARS_REDIS_URL"),
            currency=currency,
            timezone=zone,
            secret_key=read("REGULARS_SECRET_KEY"),
            webhook_url=read("REGULARS_WEBHOOK_URL"),
            webhook_secret=read("REGULARS_WEBHOOK_SECRET"),
            protected_groups=tuple(name.strip().lower() for name in protected.split(",") if name.strip()),
            allow_private_addresses=private in {"true", "1", "yes"},
            log_level=level,
        )

    @property
    def history_folder(self) -> Path:
        """Where the order history lies."""
        return self.home / "history"

    @property
    def tables_folder(self) -> Path:
        """Where customers, items, vendors and offers lie."""
        return self.home / "tables"

    @property
    def artifacts_folder(self) -> Path:
        """Where training publishes; the file LIVE in it names the served version."""
        return self.home / "artifacts"

    @property
    def quarantine_folder(self) -> Path:
        """Where refused rows of imports lie."""
        return self.home / "quarantine"

    @property
    def recording_file(self) -> Path:
        """Where the recording channel writes what would have been sent."""
        return self.home / "outbox" / "recording.ndjson"


def describe_settings() -> list[tuple[str, str, str]]:
    """Return (environment variable, default, meaning) of every setting, for the reference."""
    return [(f.metadata["env"], f.metadata["default"], f.metadata["about"]) for f in fields(Settings)]
