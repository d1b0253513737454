"""Figures measured by tests on real data, printed at the end of the run so that CI shows them."""

from __future__ import annotations

from collections.abc import Callable

import pytest

MEASURED: list[str] = []


@pytest.fixture
def show_figure() -> Callable[[str], None]:
    """Return a function that keeps a line for the end of the run."""
    return MEASURED.append


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print what was measured."""
    if MEASURED:
        terminalreporter.section("MEASURED ON REAL DATA", sep="-")
        for line in MEASURED:
            terminalreporter.write_line(line)
