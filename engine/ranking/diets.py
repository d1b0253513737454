"""What a dish may not hold and whom it must suit: one spelling for every word, and no typing error overlooked."""

from __future__ import annotations

from collections.abc import Collection, Sequence

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
    "芥末": "mustard", "芝麻": "sesame", "软体动物": "molluscs", "素食": "vegetarian", "纯素": "vegan", "清真": "halal",
}  # fmt: skip


def plain(word: str) -> str:
    """Return the one spelling of a word: lower case, underscores for blanks, `peanut` and 花生 as `peanuts`."""
    lowered = "_".join(word.casefold().replace("-", " ").split())
    return SAME.get(lowered, lowered)


def plain_words(cell: str | None) -> frozenset[str]:
    """Return the words of a `|`-separated cell; none where it is empty."""
    return frozenset(plain(word) for word in (cell or "").split("|") if word.strip())


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
