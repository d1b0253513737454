"""Which channels this installation has: those its settings configure."""

from __future__ import annotations

from campaigns.channels.base import Channel
from campaigns.channels.recording import RecordingChannel
from campaigns.channels.webhook import WebhookChannel
from engine.errors import InputError
from engine.settings import Settings


def configured(settings: Settings, *, concurrency: int, timeout_s: float) -> dict[str, Channel]:
    """Return the channels that can be opened, by name; `recording` is always among them.

    Raises InputError when the webhook's settings cannot be used.
    """
    channels: dict[str, Channel] = {"recording": RecordingChannel(settings.recording_file)}
    if settings.webhook_url:
        channels["webhook"] = WebhookChannel(
            settings.webhook_url,
            settings.webhook_secret or "",
            allow_private=settings.allow_private_addresses,
            concurrency=concurrency,
            timeout_s=timeout_s,
        )
    return channels


def require(settings: Settings, name: str) -> None:
    """Refuse a channel that no worker of these settings could send through.

    Raises InputError naming the setting.
    """
    if name not in configured(settings, concurrency=1, timeout_s=1.0):
        raise InputError("is not set; the webhook channel needs the URL it posts to", where="REGULARS_WEBHOOK_URL")
