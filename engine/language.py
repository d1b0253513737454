"""Languages: tags as BCP 47 writes them, and which text answers whom."""

from __future__ import annotations

import re
from collections.abc import Collection

# The languages our own sentences exist in.
LANGUAGES = ("en", "zh")
TAG = r"^[A-Za-z]{2,3}([-_][A-Za-z0-9]{1,8})*$"
LONGEST_TAG = 35  # RFC 5646 section 4.4.1


def is_tag(text: str) -> bool:
    """Return whether `text` is written like a language tag: en, zh-CN, pt_BR, zh-Hant-TW."""
    return len(text) <= LONGEST_TAG and re.fullmatch(TAG, text) is not None


def plain_tag(tag: str) -> str:
    """Return a tag in the usual spelling (RFC 5646 section 2.1.1): zh_hant_tw is zh-Hant-TW."""
    first, *rest = tag.replace("_", "-").split("-")
    after_single = False
    parts = [first.lower()]
    for part in rest:
        if len(part) == 4 and part.isalpha() and not after_single:
            parts.append(part.title())
        else:
            parts.append(part.upper() if len(part) == 2 and not after_single else part.lower())
        after_single = after_single or len(part) == 1
    return "-".join(parts)


def primary(tag: str) -> str:
    """Return the language a tag begins with: zh of zh-Hant-TW."""
    return re.split("[-_]", tag, maxsplit=1)[0].lower()


def text_language(tag: str | None, default: str) -> str:
    """Return which of LANGUAGES our sentences are in for a reader of `tag`; `default` where there are none in it."""
    return primary(tag) if tag is not None and primary(tag) in LANGUAGES else default


def nearest_tag(tag: str | None, available: Collection[str], default: str) -> str:
    """Return which of the `available` tags a reader of `tag` gets; never empty-handed where one is available.

    The tag itself, else the longest beginning of it (RFC 4647 section 3.4), else another of the same language, else the
    nearest of `default`, English, or the first in order.
    """
    for wanted in (tag, default, LANGUAGES[0]):
        found = None if wanted is None else _same_language(plain_tag(wanted), available)
        if found is not None:
            return found
    return min(available)


def _same_language(tag: str, available: Collection[str]) -> str | None:
    parts = tag.split("-")
    for n in range(len(parts), 0, -1):
        beginning = "-".join(parts[:n])
        if beginning in available:
            return beginning
    return min((each for each in available if primary(each) == parts[0].lower()), default=None)
