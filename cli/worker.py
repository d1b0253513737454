"""`regulars worker`: sends what launches have queued."""

from __future__ import annotations

import asyncio
import signal
from datetime import UTC, datetime, timedelta
from typing import Annotated

import typer

from campaigns.delivery.worker import Counts, Mode, Worker
from campaigns.eligibility.registered import RegisteredPeople
from cli.app import app
from cli.output import HomeOption, JsonOption, print_facts, print_json, settings_for
from engine.database.session import connect
from engine.errors import InputError
from engine.files.encryption import seal_of
from engine.runtime.logs import configure_logs
from engine.settings import Settings

LONGEST_SEND_S = 10.0


@app.command()
def worker(
    once: Annotated[bool, typer.Option("--once", help="Take one batch, then end.")] = False,
    drain: Annotated[bool, typer.Option("--drain", help="End when nothing is left to send for now.")] = False,
    lease: Annotated[
        float,
        typer.Option("--lease", help="Seconds a message is this worker's; a dead worker's messages wait so long."),
    ] = 60.0,
    slots: Annotated[int, typer.Option("--slots", help="Messages in flight at once.")] = 32,
    home: HomeOption = None,
    json: JsonOption = False,
) -> None:
    """Send queued messages until stopped; SIGTERM or Ctrl-C finishes those in flight first. Logs go to stderr as JSON.

    Example: [bold]regulars worker --drain[/bold]
    """
    settings = settings_for(home)
    if once and drain:
        raise InputError("give --once or --drain, not both", where="--once")
    if not 0.2 <= lease <= 3_600:
        raise InputError("expected seconds from 0.2 to 3600", where="--lease")
    if not 1 <= slots <= 1_000:
        raise InputError("expected 1 to 1000", where="--slots")
    configure_logs(settings.log_level)
    counts = asyncio.run(_work(settings, "once" if once else "drain" if drain else "forever", lease, slots))
    if json:
        print_json(counts.as_json())
    else:
        print_facts("The worker has ended", counts.as_json())


async def _work(settings: Settings, mode: Mode, lease_s: float, slots: int) -> Counts:
    from campaigns.channels.registry import configured_channels  # noqa: PLC0415 - loads aiohttp, which `regulars --help` need not wait for

    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for each in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(each, stop.set)
    database = connect(settings)
    try:
        return await Worker(
            database=database,
            # A send must end while its lease holds, or another worker would send the same.
            channels=configured_channels(settings, concurrency=slots, timeout_s=min(LONGEST_SEND_S, lease_s / 2)),
            seal=seal_of(settings),
            registered=RegisteredPeople(settings).current,
            clock=lambda: datetime.now(UTC),
            slots=slots,
            lease=timedelta(seconds=lease_s),
        ).run(mode, stop)
    finally:
        database.dispose()
