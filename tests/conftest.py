"""What every test may ask for: a fresh home, and the shared real data where it is there."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import hypothesis
import pytest

from engine.settings import Settings

pytest_plugins = ["tests.servers", "tests.figures", "tests.inbox"]

# A law holds or does not; how fast a busy machine finds out is no matter of tests.
hypothesis.settings.register_profile("untimed", deadline=None)
hypothesis.settings.load_profile("untimed")

SHARED_DATA = Path(__file__).resolve().parent.parent.parent / "shared" / "data"


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A home folder nobody has used yet."""
    return tmp_path / "home"


@pytest.fixture
def settings(home: Path) -> Settings:
    """Default settings of a fresh home."""
    return Settings.from_environment({}, home=home)


@pytest.fixture
def shared_data() -> Callable[..., Path]:
    """Return a function from a data set's name and parts below it to its path; absent data skips the test."""

    def find(*parts: str) -> Path:
        path = SHARED_DATA.joinpath(*parts)
        if not path.exists():
            pytest.skip(f"real data is not here: {path}")
        return path

    return find
