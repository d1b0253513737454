"""What a dish may not hold and whom it must suit: one spelling for every word, and no typing error overlooked."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from functools import lru_cache

from engine.errors import BadRequest, did_you_mean

# Regulation (EU) 1169/2011, annex II: what a kitchen must be able to tell. China's GB 7718-2025 lists eight of them.
ALLERGENS = frozenset(
    {
        "gluten", "crustaceans", "eggs", "fish", "peanuts", "soya", "milk", "nuts", "celery", "mustard", "sesame",
        "sulphites", "lupin", "molluscs",
    }
)  # fmt: skip
DIETS = frozenset({"vegetarian", "vegan", "halal", "kosher", "pescatarian", "gluten_free", "lactose_free"})
# Said of a dish that holds none of them; an empty cell only says that nobody looked.
NOTHING = "none"
SAME = {
    "egg": "eggs", "peanut": "peanuts", "nut": "nuts", "tree_nuts": "nuts", "soy": "soya", "soybeans": "soya",
    "dairy": "milk", "wheat": "gluten", "crustacean": "crustaceans", "mollusc": "molluscs", "mollusks": "molluscs",
    "sulfites": "sulphites", "麸质": "gluten", "甲壳类": "crustaceans", "鸡蛋": "eggs", "蛋类": "eggs", "鱼类": "fish",
    "花生": "peanuts", "大豆": "soya", "牛奶": "milk", "乳制品": "milk", "坚果": "nuts", "芹菜": "celery",
    "小麦": "gluten", "甲壳": "crustaceans", "虾": "crustaceans", "蟹": "crustaceans", "蛋": "eggs", "鱼": "fish",
    "乳": "milk", "芥末": "mustard", "芝麻": "sesame", "软体动物": "molluscs", "素食": "vegetarian", "纯素": "vegan",
    "清真": "halal",
}  # fmt: skip


SEPARATORS = re.compile("[|,;，；、]")
LETTERS = re.compile(r"[^\W\d_]+")
# Chinese is written without blanks.
WITHIN = {word: spelled for word, spelled in SAME.items() if not word.isascii() and spelled in ALLERGENS}
# Said of a dish of which somebody knows that nobody knows.
UNTOLD = frozenset({"unknown", "n/a", "na", "tbd", "未知", "不详"})


def plain(word: str) -> str:
    """Return the one spelling of a word: lower case, underscores for blanks, `peanut` and 花生 as `peanuts`."""
    lowered = "_".join(word.casefold().replace("-", " ").split())
    return SAME.get(lowered, lowered)


def plain_words(cell: str | None) -> frozenset[str]:
    """Return the words of a cell, separated by `|`, commas or semicolons; none where it is empty."""
    return frozenset(plain(word) for word in SEPARATORS.split(cell or "") if word.strip())


@lru_cache(maxsize=10_000)
def allergens_in(cell: str) -> frozenset[str]:
    """Return what a cell says a dish holds; none where it says nothing, such as `-` or `unknown`.

    However its words are put, each allergen of the law among them counts: `may contain milk, eggs` holds both. To leave
    a dish out that is `milk-free` does less harm than to show one that is not.
    """
    lowered = cell.casefold()
    if not LETTERS.search(lowered) or lowered.strip() in UNTOLD:
        return frozenset()
    held = {SAME.get(word, word) for word in LETTERS.findall(lowered)} & ALLERGENS
    held |= {spelled for word, spelled in WITHIN.items() if word in lowered}
    return plain_words(cell) | held


def understood(words: Sequence[str], known: Collection[str], where: str) -> tuple[str, ...]:
    """Return `words` in their one spelling.

    Raises BadRequest at `where` for a word that neither `known` nor the table of dishes has: an allergen misspelt would
    exclude nothing, and nobody would notice.
    """
    found = []
    for i, word in enumerate(words):
        if (spelled := plain(word)) not in known:
            raise BadRequest(f"{word[:40]!r} is unknown{did_you_mean(spelled[:40], known)}", where=f"{where}[{i}]")
        found.append(spelled)
    return tuple(dict.fromkeys(found))
