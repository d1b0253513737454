"""The seal on personal data: opened by its key only, the same text to the same string."""

from __future__ import annotations

import base64
import stat
from dataclasses import replace

import polars as pl
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from engine.errors import InputError
from engine.files.encryption import PREFIX, seal_of
from engine.settings import Settings


@hypothesis_settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=st.text())
def test_what_was_sealed_opens_again(settings: Settings, text: str) -> None:
    seal = seal_of(settings)
    sealed = seal.seal(text)
    assert sealed.startswith(PREFIX)
    assert len(text) < 4 or text not in sealed
    assert seal.unseal(sealed) == text
    assert seal_of(settings).seal(text) == sealed


def test_columns_keep_their_nulls(settings: Settings) -> None:
    seal = seal_of(settings)
    names = pl.Series("name", ["Anna", None, "Ben"])
    sealed = seal.seal_column(names)
    assert sealed.null_count() == 1
    assert not set(sealed.drop_nulls()) & set(names.drop_nulls())
    assert seal.unseal_column(sealed).equals(names)


def test_the_key_file_is_made_once_and_only_its_owner_may_read_it(settings: Settings) -> None:
    seal_of(settings)
    path = settings.home / "secret.key"
    first = path.read_bytes()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert len(base64.b64decode(first)) == 32
    seal_of(settings)
    assert path.read_bytes() == first
    assert [p.name for p in settings.home.iterdir()] == ["secret.key"]


def test_another_key_is_told_in_one_line(settings: Settings) -> None:
    other = replace(settings, secret_key=base64.b64encode(bytes(32)).decode())
    with pytest.raises(InputError, match="another key") as caught:
        seal_of(other).unseal(seal_of(settings).seal("Anna"))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("text", ["Anna", "s1:", "s1:%%%", "s1:AAAA"])
def test_what_was_never_sealed_is_told(settings: Settings, text: str) -> None:
    with pytest.raises(InputError):
        seal_of(settings).unseal(text)


@pytest.mark.parametrize("key", ["short", "!!!", base64.b64encode(bytes(31)).decode()])
def test_a_bad_key_is_told(settings: Settings, key: str) -> None:
    with pytest.raises(InputError, match="base64 of 32 bytes"):
        seal_of(replace(settings, secret_key=key))
