"""What a home's first imports teach it: the currency it counts in and the zone its days are cut in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import orjson
import polars as pl

from engine.clock import zone_exists
from engine.files import atomic
from engine.imports.fields import text
from engine.imports.mapping import ImportKind, ImportMap, is_currency
from engine.imports.opened import OpenedFile
from engine.settings import HOME_FILE, Settings, read_home_file

# What a home keeps, with the setting that says otherwise and how people call it.
KEPT: Mapping[str, tuple[str, str]] = {
    "currency": ("REGULARS_CURRENCY", "amounts"),
    "timezone": ("REGULARS_TIMEZONE", "local times and days"),
}
# The kinds whose rows may speak for the home.
TELLING: Mapping[str, frozenset[str]] = {
    "currency": frozenset({"orders"}),
    "timezone": frozenset({"orders", "customers", "vendors"}),
}


@dataclass(frozen=True, slots=True)
class HomeLesson:
    """`kept` is what the home is to know; `learned` what of it is new, and from where; `warnings` are to be said."""

    kept: Mapping[str, str]
    learned: Mapping[str, str]
    warnings: tuple[str, ...]

    def settings(self, settings: Settings) -> Settings:
        """Return the settings with what was learned in the place of what was only assumed."""
        return replace(
            settings,
            currency=self.kept["currency"] if "currency" in self.learned else settings.currency,
            timezone=self.kept["timezone"] if "timezone" in self.learned else settings.timezone,
            assumed=settings.assumed - self.learned.keys(),
        )

    def keep(self, settings: Settings) -> None:
        """Write `home.json` where it changes."""
        if self.kept != read_home_file(settings.home):
            settings.home.mkdir(parents=True, exist_ok=True)
            content = orjson.dumps(dict(self.kept), option=orjson.OPT_INDENT_2)
            atomic.replace(settings.home / HOME_FILE, lambda path: path.write_bytes(content))


def home_lesson(settings: Settings, kind: ImportKind, mapping: ImportMap, files: Sequence[OpenedFile]) -> HomeLesson:
    """Say what the map, else most rows, tell of currency and zone, where the home does not know yet.

    What the operator set is kept too, so that it stays when the variable is missing one day. Where the map or the rows
    of orders disagree with what the home has, a warning asks which is right.
    """
    kept, learned, warnings = dict(read_home_file(settings.home)), {}, []
    for name, (variable, counted) in KEPT.items():
        current: str = getattr(settings, name)
        said, source = _said(name, kind, mapping, files)
        if name in settings.assumed:
            if said is not None:
                kept[name] = said
                learned[name] = f"{said} ({source})"
            elif kind == "orders":
                warnings.append(
                    f"neither map nor rows name a {_word(name)}: {counted} are read in {current}; if that is wrong, "
                    f"say `{name}` in the map or set {variable}, and import into a fresh home"
                )
            continue
        kept[name] = current
        if said is not None and said != current and (kind == "orders" or source == "the map"):
            warnings.append(
                f"the {_word(name)} of {source} is {said} but this home's is {current}; which is right? "
                f"Set {variable}={said}, or mend the map"
            )
    return HomeLesson(kept, learned, tuple(warnings))


def _said(name: str, kind: ImportKind, mapping: ImportMap, files: Sequence[OpenedFile]) -> tuple[str | None, str]:
    """Return what is said of `name` and by what; None where neither the map nor more than half of the rows do."""
    given = getattr(mapping, name) or mapping.constants.get(name)
    if given is not None:
        return given, "the map"
    if kind not in TELLING[name] or name not in files[0].head.own:
        return None, ""
    valid = is_currency if name == "currency" else zone_exists
    # The first file speaks for all: others may not be in memory any more.
    words = text(files[0].load().cells[name].cast(pl.String)).alias(name).drop_nulls()
    words = words.str.to_uppercase() if name == "currency" else words
    counts = words.value_counts(sort=True)
    if not counts.height or counts["count"][0] * 2 <= files[0].height:
        return None, ""
    word = str(counts[name][0])
    return (word, f"most {kind}") if valid(word) else (None, "")


def _word(name: str) -> str:
    return "time zone" if name == "timezone" else name
