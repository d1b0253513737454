"""The `regulars` command: gathers the groups of verbs and turns every fault into one line."""

from __future__ import annotations

import os
import sys

import typer
from typer.exceptions import TyperException

from cli import (  # noqa: F401 - importing a group of verbs registers it
    city,
    docs,
    experiments,
    imports,
    keys,
    market,
    quality,
    serve,
    training,
    tune,
    worker,
)
from cli.app import app
from cli.campaigns import commands as campaigns  # noqa: F401
from cli.customers import commands as customers  # noqa: F401
from cli.customers import duplicates, lifetime_value  # noqa: F401
from cli.demo import command as demo  # noqa: F401
from cli.recommend import commands as recommend  # noqa: F401
from cli.recommend import everyone  # noqa: F401
from cli.segments import commands as segments  # noqa: F401
from engine.errors import CandidateRefused, RegularsError

__all__ = ["app", "run"]


def run() -> None:
    """Entry point: 0 done, 1 refused or failed, 2 bad input; a fault is one line on stderr, never a traceback."""
    try:
        code = app(standalone_mode=False)
    except typer.Abort:
        _fail("stopped", 130)
    except TyperException as error:
        # Wrong usage: an unknown verb, a missing argument, a value that is no choice; without any, help was printed.
        if not str(error):
            sys.exit(2)
        _fail(f"error[bad_usage]: {error.format_message()} (regulars --help lists the commands)", 2)
    except CandidateRefused as error:
        _fail(f"error[{error.code}]: {error}", 1)
    except RegularsError as error:
        _fail(f"error[{error.code}]: {error}", 2)
    except KeyboardInterrupt:
        _fail("stopped", 130)
    except BrokenPipeError:
        # The reader (head, less) went away: nothing is wrong, and Python must not complain while closing stdout.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)
    except Exception as error:
        if os.environ.get("REGULARS_LOG_LEVEL", "").lower() == "debug":
            raise
        _fail(f"error[internal]: {type(error).__name__}: {error} (REGULARS_LOG_LEVEL=debug shows where)", 1)
    sys.exit(code if isinstance(code, int) else 0)


def _fail(line: str, code: int) -> None:
    print(" ".join(line.split()), file=sys.stderr)
    sys.exit(code)
