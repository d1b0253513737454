"""Why a dish is shown, in words a customer could read, English and Chinese."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Reason:
    """A stable code and one sentence in the customer's language."""

    code: str
    text: str


SENTENCES: dict[str, dict[str, str]] = {
    "ordered_before": {"en": "You ordered this {times} times", "zh": "您点过 {times} 次"},
    "ordered_once": {"en": "You ordered this before", "zh": "您以前点过"},
    "follows_last": {"en": "Often ordered next after {dish}", "zh": "点过{dish}的顾客接下来常点"},
    "because_you_ordered": {"en": "Because you ordered {dish}", "zh": "因为您点过{dish}"},
    "people_like_you": {"en": "Customers with your taste order this", "zh": "口味相近的顾客也点"},
    "your_taste": {"en": "Matches your taste", "zh": "符合您的口味"},
    "popular_nearby": {"en": "Popular near you", "zh": "您附近的热门"},
    "popular": {"en": "Popular right now", "zh": "近期热门"},
    "offered": {"en": "On the menu here", "zh": "本店供应"},
}


def reason(code: str, language: str, **facts: object) -> Reason:
    """Return the reason `code` worded with `facts`; any language but Chinese reads English."""
    return Reason(code, SENTENCES[code]["zh" if language == "zh" else "en"].format(**facts))
