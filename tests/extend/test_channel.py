"""A channel is one file: this one is built from its setting, accepted in definitions, and workers send through it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from types import TracebackType
from typing import Self

import pytest

from campaigns.channels.base import Channel, Outgoing, SendOutcome
from campaigns.channels.registry import (
    SPECS,
    ChannelSpec,
    SendOptions,
    channel_names,
    configured_channels,
    register_channel,
    require_channel,
)
from campaigns.delivery.worker import Worker
from campaigns.eligibility.registered import Registered
from campaigns.runs.data import read_data
from campaigns.runs.launch import launch
from campaigns.runs.plan import make_plan
from engine.database.session import connect, transaction
from engine.errors import InputError
from engine.files.encryption import seal_of
from engine.settings import Settings
from tests.campaigns.town import settle_town, winback

NOW = datetime.now(UTC)


class PigeonChannel:
    """Keeps what it was handed; it flies to `coop`."""

    name = "pigeon"

    def __init__(self, coop: str) -> None:
        self.coop = coop
        self.flown: list[Outgoing] = []

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        return None

    async def send(self, message: Outgoing) -> SendOutcome:
        self.flown.append(message)
        return SendOutcome("sent")


def build(settings: Settings, options: SendOptions) -> PigeonChannel | None:
    assert options.concurrency > 0
    return PigeonChannel(settings.webhook_url) if settings.webhook_url else None


@pytest.fixture(autouse=True)
def channel_is_registered() -> Iterator[None]:
    register_channel(
        ChannelSpec(name="pigeon", build=build, setting="REGULARS_WEBHOOK_URL", purpose="the coop it flies to")
    )
    yield
    del SPECS["pigeon"]


@pytest.fixture
def with_coop(settings: Settings) -> Settings:
    return replace(settings, webhook_url="https://coop.example", webhook_secret="s")


def channels(settings: Settings) -> Mapping[str, Channel]:
    return configured_channels(settings, concurrency=4, timeout_s=1.0)


def test_it_is_listed_with_the_channels_of_the_product() -> None:
    assert channel_names() == ("pigeon", "recording", "webhook")


def test_it_is_built_where_its_setting_is_given(settings: Settings, with_coop: Settings) -> None:
    assert channels(settings).keys() == {"recording"}
    assert channels(with_coop).keys() == {"recording", "webhook", "pigeon"}


def test_a_launch_without_its_setting_is_told_which_one(settings: Settings, with_coop: Settings) -> None:
    require_channel(with_coop, "pigeon")
    with pytest.raises(InputError, match="the pigeon channel needs the coop it flies to") as refused:
        require_channel(settings, "pigeon")
    assert refused.value.where == "REGULARS_WEBHOOK_URL"


def test_its_name_cannot_be_taken_twice() -> None:
    with pytest.raises(ValueError, match="already"):
        register_channel(ChannelSpec(name="pigeon", build=build))


async def test_a_campaign_is_sent_through_it(with_coop: Settings) -> None:
    settle_town(with_coop, 8, now=NOW)
    database = connect(with_coop)
    definition = winback(channel="pigeon")
    for act in (make_plan, launch):
        with transaction(database) as session:
            act(session, definition, read_data(with_coop), now=NOW, actor="test", global_holdout=0.0)
    pigeon = PigeonChannel("coop")
    worker = Worker(
        database=database,
        channels={"pigeon": pigeon},
        seal=seal_of(with_coop),
        registered=Registered,
        clock=lambda: datetime.now(UTC),
    )
    await worker.run("drain", asyncio.Event())
    database.dispose()
    assert pigeon.flown
    assert {each.campaign_id for each in pigeon.flown} == {"winback"}
