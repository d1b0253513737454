"""Why a dish is shown, and why a list is short, in words a customer could read, English and Chinese."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import NamedTuple


class Reason(NamedTuple):
    """A stable code and one sentence in the customer's language."""

    code: str
    text: str


SENTENCES: dict[str, dict[str, str]] = {
    "ordered_before": {"en": "You ordered this {times} times", "zh": "您点过 {times} 次"},
    "ordered_once": {"en": "You ordered this before", "zh": "您以前点过"},
    "most_weekdays": {"en": "You order this most {weekday}s", "zh": "您几乎每个{weekday}都点这个"},
    "mostly_weekday": {"en": "You mostly order this on {weekday}s", "zh": "您常在{weekday}点这个"},
    "usual_daypart": {"en": "You usually order this {daypart}", "zh": "您常在{daypart}点这个"},
    "due_now": {
        "en": "You order this about every {days} days: time for it again",
        "zh": "您大约每 {days} 天点一次，又到时候了",
    },
    "due_daily": {"en": "You order this about every day: time for it again", "zh": "您几乎每天都点，又到时候了"},
    "follows_last": {"en": "Often ordered next after {dish}", "zh": "点过{dish}的顾客接下来常点"},
    "because_you_ordered": {"en": "Because you ordered {dish}", "zh": "因为您点过{dish}"},
    "because_you_looked": {"en": "Because you looked at {dish}", "zh": "因为您看过{dish}"},
    "you_looked": {"en": "You looked at this lately", "zh": "您最近看过"},
    "you_liked": {"en": "You rated this well", "zh": "您给过好评"},
    "people_like_you": {"en": "Customers with your taste order this", "zh": "口味相近的顾客也点"},
    "your_taste": {"en": "Matches your taste", "zh": "符合您的口味"},
    "goes_with": {"en": "Often ordered together with {dish}", "zh": "常与{dish}一起点"},
    "similar_to": {"en": "Similar to {dish}", "zh": "与{dish}相似"},
    "same_customers": {"en": "Customers who order {dish} order this too", "zh": "点{dish}的顾客也点"},
    "popular_nearby": {"en": "Popular near you", "zh": "您附近的热门"},
    "popular_at_this_time": {"en": "Often ordered around this time", "zh": "这个时段大家常点"},
    "popular": {"en": "Popular right now", "zh": "近期热门"},
    "first_order": {"en": "Picked for your first order", "zh": "为您的第一单挑选"},
    "new_here": {"en": "New here", "zh": "新品"},
    "offered": {"en": "On the menu here", "zh": "本店供应"},
    "group_likes": {"en": "Suits {share} % of this group", "zh": "适合该人群的 {share} %"},
    "group_stands_out": {
        "en": "Suits {share} % of this group, {lift} times as often as others",
        "zh": "适合该人群的 {share} %，是其他顾客的 {lift} 倍",
    },
    "usual_vendor": {"en": "You ordered here {times} times", "zh": "您在这里点过 {times} 次"},
    "vendor_once": {"en": "You ordered here before", "zh": "您在这里点过"},
    "vendor_suits": {"en": "They make {dish}, which suits your taste", "zh": "有符合您口味的{dish}"},
    "vendor_near": {"en": "{distance} km from you", "zh": "距您 {distance} 公里"},
    "vendor_open": {"en": "Open for orders", "zh": "可下单"},
}
SHORT: dict[str, dict[str, str]] = {
    "closed": {"en": "Closed at that time", "zh": "该时间不营业"},
    "out_of_zone": {"en": "Vendors here do not deliver to that zone", "zh": "商家不配送到该区域"},
    "unavailable": {"en": "Sold out", "zh": "已售罄"},
    "vendor_unknown": {"en": "We do not know this vendor", "zh": "没有该商家的信息"},
    "vendor": {"en": "The vendor offers no dish that can be shown", "zh": "该商家没有可展示的菜品"},
    "candidates": {"en": "None of the given candidates can be shown", "zh": "给定的候选中没有可展示的菜品"},
    "allergens": {
        "en": "Dishes here hold a named allergen, or nobody said what they hold",
        "zh": "菜品含有所述过敏原，或未注明过敏原",
    },
    "diets": {"en": "Dishes here are not labelled for this diet", "zh": "菜品未标注符合该饮食要求"},
    "all_excluded": {"en": "Dishes here were excluded", "zh": "菜品已被排除"},
    "cart": {"en": "Dishes here are in the cart already", "zh": "菜品已在购物车中"},
    "not_interested": {"en": "Dishes here are marked as not interesting", "zh": "菜品已标记为不感兴趣"},
    "had_before": {"en": "Dishes here were ordered before, and nobody orders twice", "zh": "菜品都已点过"},
    "near_duplicates": {"en": "Dishes here are nearly the same", "zh": "菜品彼此相近"},
    "menu": {"en": "There are no dishes", "zh": "没有菜品"},
    "no_orders": {"en": "No dish ordered before can be shown", "zh": "没有可展示的点过的菜品"},
    "nothing_alike": {"en": "Nothing is known to be like it", "zh": "没有已知的相似菜品"},
    "no_vendors": {"en": "No vendor is open and delivers here", "zh": "没有营业且可配送的商家"},
    "suits_nobody": {
        "en": "No dish is among the best of anybody in this group",
        "zh": "没有菜品是该人群中任何人的首选",
    },
    "nobody": {"en": "Nobody is in this group", "zh": "该人群没有顾客"},
}
# The same of a list that holds something; what is not here may be said of both.
OTHERS: dict[str, dict[str, str]] = {
    "closed": {"en": "Others are closed at that time", "zh": "其他商家该时间不营业"},
    "out_of_zone": {"en": "Other vendors do not deliver to that zone", "zh": "其他商家不配送到该区域"},
    "unavailable": {"en": "Other dishes are sold out", "zh": "其他菜品已售罄"},
    "vendor": {"en": "The vendor offers no other dishes", "zh": "该商家没有其他菜品"},
    "candidates": {"en": "No others of the given candidates can be shown", "zh": "给定的候选中没有其他可展示的菜品"},
    "allergens": {
        "en": "The other dishes hold a named allergen, or nobody said what they hold",
        "zh": "其余菜品含有所述过敏原，或未注明过敏原",
    },
    "diets": {"en": "The other dishes are not labelled for this diet", "zh": "其余菜品未标注符合该饮食要求"},
    "all_excluded": {"en": "The other dishes were excluded", "zh": "其余菜品已被排除"},
    "cart": {"en": "The other dishes are in the cart already", "zh": "其余菜品已在购物车中"},
    "not_interested": {"en": "The other dishes are marked as not interesting", "zh": "其余菜品已标记为不感兴趣"},
    "had_before": {"en": "The other dishes were ordered before, and nobody orders twice", "zh": "其余菜品都已点过"},
    "near_duplicates": {"en": "The other dishes are near-duplicates of those shown", "zh": "其余菜品与已展示的相近"},
    "menu": {"en": "There are no other dishes", "zh": "没有其他菜品"},
    "no_orders": {"en": "No other dish ordered before can be shown", "zh": "没有其他可展示的点过的菜品"},
    "nothing_alike": {"en": "No other dish is known to be like it", "zh": "没有其他已知的相似菜品"},
    "no_vendors": {"en": "No other vendors are open and deliver here", "zh": "没有其他营业且可配送的商家"},
    "suits_nobody": {
        "en": "The other dishes are among the best of nobody in this group",
        "zh": "其余菜品不在该人群任何人的首选之列",
    },
}
WEEKDAYS = {
    "en": ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"),
    "zh": ("周一", "周二", "周三", "周四", "周五", "周六", "周日"),
}
DAYPARTS = {
    "en": {
        "breakfast": "at breakfast", "lunch": "at lunch", "afternoon": "in the afternoon", "dinner": "at dinner",
        "late": "late at night",
    },
    "zh": {"breakfast": "早餐时", "lunch": "午餐时", "afternoon": "下午", "dinner": "晚餐时", "late": "深夜"},
}  # fmt: skip


def reason(code: str, language: str, **facts: object) -> Reason:
    """Return the reason `code` worded with `facts`; any language but Chinese reads English."""
    return Reason(code, SENTENCES[code]["zh" if language == "zh" else "en"].format(**facts))


@lru_cache(maxsize=4096)
def said(code: str, language: str, **facts: object) -> Reason:
    """Return `reason`, remembered: for facts of few values, such as weekdays and small numbers."""
    return reason(code, language, **facts)


def about(code: str, language: str, dish: str) -> Reason:
    """Return `reason` for a sentence whose one fact is a dish's name: thousands of names are not worth remembering."""
    return Reason(code, SENTENCES[code]["zh" if language == "zh" else "en"].replace("{dish}", dish))


def why_short(code: str, language: str, *, empty: bool) -> Reason:
    """Return why a list is shorter than asked; of an `empty` one nothing is said of the rest."""
    texts = SHORT[code] if empty else OTHERS.get(code, SHORT[code])
    return Reason(code, texts["zh" if language == "zh" else "en"])


def shortage(filters: Mapping[str, int], *, vendor_known: bool) -> str:
    """Return the code of the filter that left a list short, from what each took away (`filters.removed`).

    Of what the app asked about (a vendor, candidates) the rest of the menu is no loss: it is named only where no
    other filter took anything.
    """
    if not vendor_known:
        return "vendor_unknown"
    taken = {name: n for name, n in filters.items() if name not in {"menu", "left", "vendor", "candidates"} and n}
    if taken:
        most = max(taken, key=lambda name: taken[name])
        return {"excluded": "all_excluded"}.get(most, most)
    return next((name for name in ("candidates", "vendor") if name in filters), "menu")
