"""The `regulars` command: gathers the verb groups and turns every fault into one line."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from engine.errors import CandidateRefused, RegularsError
from engine.settings import DEFAULT_HOME, Settings

app = typer.Typer(
    name="regulars",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="Turn one-time diners into regulars: learn from orders, recommend dishes and coupons, run campaigns.",
)
