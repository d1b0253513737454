"""Which channels there are, and which of them this installation's settings configure.

Each file of this folder (but this one and `base`) is a channel of its name, and registers how it is built. Files are
imported when a channel is first built, because some load much.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules

from campaigns.channels.base import Channel
from engine.errors import InputError
from engine.settings import Settings

_FILES = {each.name for each in iter_modules([str(Path(__file__).parent)])} - {"base", "registry"}


@dataclass(frozen=True, slots=True)
class SendOptions:
    """At most `concurrency` messages at once, each within `timeout_s`."""

    concurrency: int
    timeout_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelSpec:
    """How a channel is built: `build` returns None where the settings do not configure it.

    `setting` names the environment variable it then lacks and `purpose` what that is for; None for a channel that is
    always there. `consent` is the channel a customer must not have refused (push, sms, email); None where the channel
    cannot say what carries its messages, and so needs the consent of all.
    """

    name: str
    build: Callable[[Settings, SendOptions], Channel | None]
    setting: str | None = None
    purpose: str = ""
    consent: str | None = None


SPECS: dict[str, ChannelSpec] = {}


def register_channel(spec: ChannelSpec) -> None:
    """Make a channel known to definitions and workers. Raises ValueError when another has its name."""
    if SPECS.setdefault(spec.name, spec) is not spec:
        raise ValueError(f"there is a channel {spec.name!r} already")


def channel_names() -> tuple[str, ...]:
    """Return the names of all channels, sorted, whether or not the settings configure them."""
    return tuple(sorted(_FILES | SPECS.keys()))


def configured_channels(settings: Settings, *, concurrency: int, timeout_s: float) -> dict[str, Channel]:
    """Return the channels that can be opened, by name; `recording` is always among them.

    Raises InputError when a channel's settings cannot be used.
    """
    options = SendOptions(concurrency, timeout_s)
    built = {name: _spec_of(name).build(settings, options) for name in channel_names()}
    return {name: channel for name, channel in built.items() if channel is not None}


def require_channel(settings: Settings, name: str) -> None:
    """Refuse a channel that no worker of these settings could send through.

    Raises InputError naming the setting.
    """
    if name not in configured_channels(settings, concurrency=1, timeout_s=1.0):
        spec = _spec_of(name)
        raise InputError(f"is not set; the {name} channel needs {spec.purpose}", where=spec.setting)


def consent_of(name: str) -> str | None:
    """Return the consent a channel needs; None, which is all of them, where it names none or is not known."""
    return _spec_of(name).consent if name in channel_names() else None


def _spec_of(name: str) -> ChannelSpec:
    if name not in SPECS:
        import_module(f"{__package__}.{name}")
    return SPECS[name]
