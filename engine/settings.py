"""Settings: built once at the edge from the command line and the environment, then passed in.

Nothing reads the environment at import, so two homes can live in one process (tests do that).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

import orjson

from engine.clock import zone_exists
from engine.errors import InputError
from engine.language import LANGUAGES

DEFAULT_HOME = "./regulars-home"
ASSUMED_CURRENCY = "USD"
ASSUMED_TIMEZONE = "UTC"
# What the home itself remembers from its first imports (`engine.imports.home`).
HOME_FILE = "home.json"
PROTECTED_GROUPS = "history,orders,recency,value,lifecycle,zone"


def _env(name: str, about: str, default: str) -> Any:
    return field(metadata={"env": name, "about": about, "default": default})


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What an operator may set; every field names its environment variable.

    `database_url` None means SQLite in the home folder; `redis_url` None means the in-process store. `assumed` names
    those of `currency` and `timezone` that nobody ever said: neither the environment nor the home's first imports.
    """

    home: Path = _env("REGULARS_HOME", "Folder with history, artifacts and the default database.", DEFAULT_HOME)
    database_url: str | None = _env(
        "REGULARS_DATABASE_URL", "SQLAlchemy URL; PostgreSQL in production.", "SQLite in the home folder"
    )
    redis_url: str | None = _env(
        "REGULARS_REDIS_URL", "Redis or Valkey URL for the online state.", "in-process store, one worker"
    )
    currency: str = _env(
        "REGULARS_CURRENCY",
        "ISO 4217 code that campaigns and offers count in, and imports that name none.",
        f"what the first import says (home.json), else {ASSUMED_CURRENCY}",
    )
    timezone: str = _env(
        "REGULARS_TIMEZONE",
        "IANA zone in which days are cut, and in which local times are read that name none.",
        f"what the first import says (home.json), else {ASSUMED_TIMEZONE}",
    )
    language: str = _env(
        "REGULARS_LANGUAGE",
        "Language of answers and messages for who has no text in their own: en or zh.",
        LANGUAGES[0],
    )
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
    assumed: frozenset[str] = frozenset()

    @classmethod
    def from_environment(cls, env: Mapping[str, str], *, home: Path | None = None) -> Settings:
        """Read settings from `env`; `home` given on the command line wins.

        Raises InputError when a value cannot be used.
        """

        def read(name: str, default: str | None = None) -> str | None:
            return env.get(name, "").strip() or default

        folder = home or Path(read("REGULARS_HOME", DEFAULT_HOME) or DEFAULT_HOME)
        remembered = read_home_file(folder)
        zone = read("REGULARS_TIMEZONE") or remembered.get("timezone")
        if zone is not None and not zone_exists(zone):
            raise InputError(f"{zone!r} is not an IANA time zone such as Asia/Shanghai", where="REGULARS_TIMEZONE")
        private = (read("REGULARS_ALLOW_PRIVATE_ADDRESSES", "false") or "").lower()
        if private not in {"true", "false", "1", "0", "yes", "no"}:
            raise InputError(f"{private!r} is neither true nor false", where="REGULARS_ALLOW_PRIVATE_ADDRESSES")
        language = (read("REGULARS_LANGUAGE", LANGUAGES[0]) or "").lower()
        if language not in LANGUAGES:
            raise InputError(f"{language!r} is neither {' nor '.join(LANGUAGES)}", where="REGULARS_LANGUAGE")
        level = (read("REGULARS_LOG_LEVEL", "info") or "").lower()
        if level not in {"debug", "info", "warning", "error"}:
            raise InputError(
                f"{level!r} is no log level; use debug, info, warning or error", where="REGULARS_LOG_LEVEL"
            )
        protected = read("REGULARS_PROTECTED_GROUPS", PROTECTED_GROUPS) or PROTECTED_GROUPS
        currency = (read("REGULARS_CURRENCY") or remembered.get("currency") or "").upper()
        if currency and (len(currency) != 3 or not currency.isalpha()):
            raise InputError(f"{currency!r} is not a three-letter currency code", where="REGULARS_CURRENCY")
        return cls(
            home=folder,
            database_url=read("REGULARS_DATABASE_URL"),
            redis_url=read("REGULARS_REDIS_URL"),
            currency=currency or ASSUMED_CURRENCY,
            timezone=zone or ASSUMED_TIMEZONE,
            assumed=frozenset(name for name, said in (("currency", currency), ("timezone", zone)) if not said),
            language=language,
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


def read_home_file(home: Path) -> Mapping[str, str]:
    """Return the `currency` and `timezone` the home remembers; empty before its first import.

    Raises InputError when `home.json` is not what an import wrote.
    """
    path = home / HOME_FILE
    try:
        found = orjson.loads(path.read_bytes())
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except orjson.JSONDecodeError as error:
        raise InputError(
            "is not JSON; restore it from a backup, or remove it and import again", where=str(path)
        ) from error
    if not isinstance(found, dict) or not all(isinstance(value, str) for value in found.values()):
        raise InputError("must hold texts by name; restore it from a backup, or remove it", where=str(path))
    return found


def describe_settings() -> list[tuple[str, str, str]]:
    """Return (environment variable, default, meaning) of every setting, for the reference."""
    return [
        (f.metadata["env"], f.metadata["default"], f.metadata["about"]) for f in fields(Settings) if "env" in f.metadata
    ]
