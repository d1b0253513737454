"""`regulars demo`: the whole of it on a simulated city, in under a minute, with nothing real touched."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

from cli.app import app
from cli.output import JsonOption, err, print_json, progress
from engine.errors import RegularsError

if TYPE_CHECKING:
    from cli.demo.server import Server
    from cli.demo.show import Show
    from engine.settings import Settings

SMALLEST = 200


@app.command()
def demo(
    once: Annotated[bool, typer.Option("--once", help="Do all of it, stop the server and end.")] = False,
    customers: Annotated[
        int, typer.Option("--customers", min=SMALLEST, max=200_000, help="How many people live in the city.")
    ] = 2_000,
    home: Annotated[
        Path | None,
        typer.Option("--home", help="Folder of the demo; default demo in the usual home.", show_default=False),
    ] = None,
    port: Annotated[int, typer.Option("--port", min=0, max=65535, help="Port of the server; 0 picks one.")] = 0,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Another seed, another city.")] = 0,
    json: JsonOption = False,
) -> None:
    """Build a city, import it, train, serve, recommend, and win dormant customers back: everything once, on real paths.

    Uses its own folder, database and server; environment variables that name yours are not read, and messages go to a
    file. A second run builds the city anew. Stays up until Ctrl-C, unless --once.

    [bold]Examples[/bold]

      regulars demo

      regulars demo --once --json --customers 500
    """
    from cli.demo import home as demo_home  # noqa: PLC0415 - loads the data libraries, which other verbs need not wait for

    # A supervisor's stop and a closed terminal must end the server child too: they take the way out of Ctrl-C, which a
    # shell may have told its background children to ignore.
    for each in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(each, _interrupted)
    folder = demo_home.home_of(home, os.environ)
    steps = Steps()
    with demo_home.claimed(folder) as before:
        built = f"the one of {before:%Y-%m-%d %H:%M} UTC is built anew" if before else "a new one"
        said = f"A demo in {folder}, {built}; its history ends today, so that who is dormant is dormant now"
        err.print(said, markup=False, soft_wrap=True)
        run = Run(demo_home.demo_settings(folder), steps, quiet=json)
        with ExitStack() as held:
            summary = run.all(held, customers=customers, seed=seed, port=port)
            if json:
                print_json(summary)
            if not once:
                run.stay_up()


class Steps:
    """Names each step on stderr as it begins and says how long it took; keeps the seconds."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    @contextmanager
    def __call__(self, name: str, says: str) -> Iterator[None]:
        """Run one step; a fault in it ends the demo with one line that names the step."""
        err.print(f"[cyan]▸[/cyan] {says} ...", soft_wrap=True)
        started = time.perf_counter()
        try:
            yield
        except Exception as error:
            if os.environ.get("REGULARS_LOG_LEVEL", "").lower() == "debug":
                raise
            self._stop(name, error)
        self.seconds[name] = round(time.perf_counter() - started, 2)
        err.print(f"  [green]✓[/green] [dim]{self.seconds[name]:.1f} s[/dim]")

    def _stop(self, name: str, error: Exception) -> NoReturn:
        code = error.code if isinstance(error, RegularsError) else "internal"
        fault = str(error) if isinstance(error, RegularsError) else f"{type(error).__name__}: {error}"
        line = " ".join(f"error[{code}]: the demo stopped at {name}: {fault}".split())
        err.print(line, markup=False, soft_wrap=True)
        raise typer.Exit(1)


class Run:
    """One demo: holds what the steps share, and shows each step's figures unless `quiet`."""

    def __init__(self, settings: Settings, steps: Steps, *, quiet: bool) -> None:
        self._settings = settings
        self._step = steps
        self._quiet = quiet
        self._server: Server | None = None
        self._key = ""
        self._show: Show | None = None

    def all(self, held: ExitStack, *, customers: int, seed: int, port: int) -> dict[str, Any]:
        """Do every step and return the summary; what must be closed at the end is left in `held`."""
        from cli.demo import server as demo_server  # noqa: PLC0415 - see above
        from cli.demo import steps as demo_steps  # noqa: PLC0415 - see above
        from cli.demo import win_back as demo_win_back  # noqa: PLC0415 - see above
        from cli.demo.home import child_environment  # noqa: PLC0415
        from cli.demo.show import Show  # noqa: PLC0415
        from engine.database.session import connect  # noqa: PLC0415
        from engine.history.tables import read_table  # noqa: PLC0415

        settings, step, started = self._settings, self._step, time.perf_counter()
        engine = connect(settings)
        held.callback(engine.dispose)
        with step("city", f"Building a city of {customers:,} customers, their kitchens, and a year of orders"):
            city = demo_steps.build_city(settings, customers, seed, datetime.now(UTC))
        with step("import", "Importing its files, every row accepted or accounted for"):
            imported = demo_steps.import_city(settings, city, datetime.now(UTC))
        items, vendors = read_table(settings, "items"), read_table(settings, "vendors")
        self._show = None if self._quiet else Show(items, vendors, settings.currency)
        self._present(lambda show: show.city(city, imported))
        with step("train", "Training the models, and judging them on four weeks they have not seen"), progress() as bar:
            task = bar.add_task("train", total=None)
            trained = demo_steps.train(
                settings, seed, datetime.now(UTC), lambda stage: bar.update(task, description=stage)
            )
        self._present(lambda show: show.quality(trained))
        with step("serve", "Starting the server"):
            environment = child_environment(os.environ, settings.home)
            server = demo_server.running_server(environment, port=port, log=settings.home / "serve.log")
            self._server = held.enter_context(server)
            address = self._server.address
            key_id, self._key = demo_steps.make_key(engine, datetime.now(UTC))
            client = demo_server.Client(address, self._key)
            ready = client.get("/health/ready")
        with step("recommend", "Asking it for dishes and coupons, as the app would"):
            dinner = demo_steps.dinner_time(datetime.now(UTC))
            guests = demo_steps.choose_guests(settings)
            answers = [demo_steps.ask(client, guest, items, dinner) for guest in guests]
        self._present(lambda show: show.guests(answers))
        with step("event", "Telling it of one order by the stranger, and asking again"):
            event = demo_steps.order_once(client, guests[-1], items, dinner, datetime.now(UTC))
        self._present(lambda show: show.event(event))
        with step("win_back", "Planning, launching and sending the dormant win-back"):
            found = demo_win_back.win_back(engine, settings)
            written_to = next(iter(found["examples"]), None)
            coupon = demo_win_back.look_up_coupon(client, written_to, dinner) if written_to else None
        self._present(lambda show: show.winback(found, coupon))
        return {
            "home": str(settings.home),
            "seed": seed,
            "city": city,
            "import": imported,
            "train": trained,
            "serve": {"address": address, "docs": f"{address}/docs", "key_id": key_id, **ready},
            "recommend": answers,
            "event": event,
            "win_back": {**found, "coupon_in_app": coupon},
            "seconds": {**step.seconds, "all": round(time.perf_counter() - started, 2)},
        }

    def stay_up(self) -> None:
        """Say how to look around, and wait for Ctrl-C or for the server to end by itself."""
        from cli.demo.show import print_docs  # noqa: PLC0415 - see above

        if self._server is None:
            return
        print_docs(self._server.address, self._key, to_stderr=self._quiet)
        try:
            self._server.process.wait()
        except KeyboardInterrupt:
            err.print("Stopping the server ...")
            return
        err.print("error[unavailable]: the server has ended; see serve.log in the demo's folder", markup=False)
        raise typer.Exit(1)

    def _present(self, how: Callable[[Show], None]) -> None:
        if self._show is not None:
            how(self._show)


def _interrupted(_number: int, _frame: object) -> NoReturn:
    raise KeyboardInterrupt
