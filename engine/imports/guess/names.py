"""What other systems call our columns, the states of an order, yes and no: the words of `names.yaml`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import cast

from engine.files.yaml import read_yaml
from engine.imports.mapping import ImportKind, names_of, plain_name

NAMES_FILE = Path(__file__).parent / "names.yaml"
KINDS: tuple[ImportKind, ...] = ("orders", "customers", "items", "vendors", "offers")


def bare_name(name: str) -> str:
    """Return a column's name as it is compared: without case, signs, spaces and what stands in brackets."""
    without = re.sub(r"[(（\[【].*?[)）\]】]", "", name)
    return re.sub(r"[\W_]+", "", (without if without.strip() else name).casefold())


@cache
def fitting_names(kind: ImportKind) -> Mapping[str, tuple[str, ...]]:
    """Return for each of our columns of `kind` what it may be called, our own name and the surest first."""
    known = cast("dict[str, dict[str, dict[str, list[str]]]]", _words())["columns"][kind]
    plain = dict.fromkeys(plain_name(kind, name)[0] for name in names_of(kind))
    return {ours: tuple(dict.fromkeys(filter(None, map(bare_name, (ours, *known.get(ours, ())))))) for ours in plain}


def status_meant(word: str) -> str | None:
    """Return our status for another system's word, None where it is not known."""
    return _meant("statuses").get(word.strip().casefold().removeprefix("wc-"))


def truth_meant(word: str) -> str | None:
    """Return yes or no for another language's word, None where it is not known."""
    return _meant("truths").get(word.strip().casefold())


@cache
def _meant(what: str) -> Mapping[str, str]:
    known = cast("dict[str, dict[str, list[str]]]", _words())[what]
    return {word.casefold(): meaning for meaning, words in known.items() for word in words}


@cache
def _words() -> object:
    return read_yaml(NAMES_FILE, words=True)
