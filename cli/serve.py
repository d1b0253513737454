"""`regulars serve`: the service for the ordering app."""

from __future__ import annotations

import errno
import os
import socket
import sys
import tempfile
from typing import Annotated

import typer

from cli.app import app
from cli.output import HomeOption, JsonOption, err, print_json, settings_for
from engine.database.session import connect
from engine.errors import Conflict, InputError
from engine.events.online.open import open_online

BACKLOG = 2048


@app.command()
def serve(
    host: Annotated[str, typer.Option("--host", help="Address to listen on; 0.0.0.0 for all.")] = "127.0.0.1",
    port: Annotated[int, typer.Option("--port", min=0, max=65535, help="Port; 0 picks a free one.")] = 8000,
    workers: Annotated[int, typer.Option("--workers", min=1, max=64, help="Processes; more than one needs Redis.")] = 1,
    home: HomeOption = None,
    json: JsonOption = False,
) -> None:
    """Serve recommendations and take events until stopped; newly trained artifacts are swapped in live.

    With --json one line on stdout says where it listens, as soon as it does.

    [bold]Examples[/bold]

      regulars serve

      REGULARS_REDIS_URL=redis://localhost:6379/0 regulars serve --host 0.0.0.0 --workers 4
    """
    import uvicorn  # noqa: PLC0415 - other verbs need not wait for it

    from api.process.workers import APP, become, configured  # noqa: PLC0415

    settings = settings_for(home)
    if workers > 1 and settings.redis_url is None:
        raise InputError(
            "several workers share their online state through Redis; set REGULARS_REDIS_URL", where="--workers"
        )
    # Wrong settings should stop the command here, with one line, and not in every worker.
    open_online(settings.redis_url)
    connect(settings).dispose()
    bound = _listen(host, port)
    address = f"http://{_shown(host)}:{bound.getsockname()[1]}"
    os.environ["REGULARS_HOME"] = str(settings.home.resolve())
    if json:
        print_json({"address": address, "docs": f"{address}/docs", "workers": workers})
        sys.stdout.flush()
    else:
        err.print(f"Serving on {address}   docs: {address}/docs   stop with Ctrl-C", markup=False)
    if workers > 1:
        become(bound, workers, tempfile.mkdtemp(prefix="regulars-metrics-"))
    uvicorn.Server(configured(APP)).run(sockets=[bound])


def _listen(host: str, port: int) -> socket.socket:
    """Bind before anything is loaded, so that a taken port is one line. Raises Conflict or InputError."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    bound = socket.socket(family, socket.SOCK_STREAM)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        bound.bind((host, port))
        # Listening already: whoever connects while the models load waits, and is not refused.
        bound.listen(BACKLOG)
    except OSError as error:
        bound.close()
        if error.errno == errno.EADDRINUSE:
            raise Conflict(f"port {port} is taken; choose another", where="--port") from error
        raise InputError(f"cannot listen there ({error.strerror or error})", where="--host") from error
    bound.set_inheritable(True)
    return bound


def _shown(host: str) -> str:
    return f"[{host}]" if ":" in host else host
