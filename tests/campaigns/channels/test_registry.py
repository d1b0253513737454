"""An installation has the channels its settings configure, and says which setting another needs."""

from __future__ import annotations

from dataclasses import replace

import pytest

from campaigns.channels.registry import channel_names, configured_channels, require_channel
from campaigns.channels.webhook import WebhookChannel
from engine.errors import InputError
from engine.settings import Settings


def test_recording_is_always_there_and_the_webhook_where_it_has_a_url(settings: Settings) -> None:
    assert configured_channels(settings, concurrency=1, timeout_s=1.0).keys() == {"recording"}
    with_url = replace(settings, webhook_url="https://example.com/hooks", webhook_secret="s")
    found = configured_channels(with_url, concurrency=1, timeout_s=1.0)
    assert tuple(found) == channel_names() == ("recording", "webhook")
    assert isinstance(found["webhook"], WebhookChannel)


def test_a_channel_without_its_setting_is_refused_with_the_settings_name(settings: Settings) -> None:
    require_channel(settings, "recording")
    with pytest.raises(InputError, match="the webhook channel needs the URL it posts to") as refused:
        require_channel(settings, "webhook")
    assert refused.value.where == "REGULARS_WEBHOOK_URL"
