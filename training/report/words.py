"""What a report says, in English and Chinese; figures and outside names are filled in by `training.report.page`."""

from __future__ import annotations

from collections.abc import Mapping

WORDS: Mapping[str, tuple[str, str]] = {
    "title": ("Recommendation quality", "推荐质量报告"),
    "file": (
        "Judged on {file}: the first order of each customer in it, everything imported as history.",
        "以 {file} 评估：取其中每位顾客的第一笔订单，全部已导入数据作为历史。",
    ),
    "last_basket": (
        "Judged on each customer's last basket, everything before it as history.",
        "以每位顾客的最后一笔订单评估，此前的全部订单作为历史。",
    ),
    "newest": (
        "Judged on the first order of each customer in the last {days:.3g} days, everything before as history.",
        "以最近 {days:.3g} 天内每位顾客的第一笔订单评估，此前的全部订单作为历史。",
    ),
    "made_at": ("Written {at} (UTC) by Regulars {release}.", "{at}（UTC）由 Regulars {release} 生成。"),
    "made": ("Written by Regulars {release}.", "由 Regulars {release} 生成。"),
    "live": (
        "The version in service was {live}; what is judged was learned anew for this page.",
        "当时线上版本为 {live}；此处评估的模型为本报告重新训练。",
    ),
    "window": (
        "Orders from {first} to {last}: {baskets} baskets of {customers} customers, {items} dishes.",
        "订单时间 {first} 至 {last}：{customers} 位顾客的 {baskets} 笔订单，{items} 道菜品。",
    ),
    "no_window": (
        "Orders without dates: {baskets} baskets of {customers} customers, {items} dishes.",
        "订单无日期：{customers} 位顾客的 {baskets} 笔订单，{items} 道菜品。",
    ),
    "split": ("Judged from {split} on.", "评估自 {split} 起。"),
    "fair": (
        "All dishes are candidates, repeats are allowed, and nothing later than the split was seen by anything judged. "
        "Intervals are bootstrap 95 % over customers.",
        "所有菜品均为候选，允许重复购买；被评估的模型看不到分割时刻之后的任何数据。区间为按顾客自助抽样的 95% 区间。",
    ),
    "customers": ("customers judged", "参与评估的顾客"),
    "new": ("{count} of them new", "其中新顾客 {count}"),
    "served": ("served", "线上使用"),
    "models": ("Models side by side", "各模型对比"),
    "models_about": (
        "ndcg@{k}: how many of the ordered dishes are in the list, and how high. The darker bar is what is served.",
        "ndcg@{k}：实际下单的菜品有多少进入列表、排名多高。深色条为线上使用的排序。",
    ),
    "model": ("model", "模型"),
    "recall": ("recall", "召回率"),
    "hit": ("hit", "命中率"),
    "repeat": ("Repeat and explore", "复购与探索"),
    "repeat_about": (
        "Recall of dishes the customer ordered before, and of dishes new to them.",
        "分别为以前点过的菜品与首次点的菜品的召回率。",
    ),
    "repeat_recall": ("repeat", "复购"),
    "explore_recall": ("explore", "探索"),
    "pairs": ("Is the difference luck?", "差异是否偶然？"),
    "pairs_about": (
        "Mean difference in {metric} for the same customers. Where the interval leaves out 0, it is more than luck.",
        "同一批顾客上 {metric} 的平均差。区间不含 0 时，差异并非偶然。",
    ),
    "groups": ("For whom is it good?", "对哪些顾客有效？"),
    "groups_about": (
        "ndcg@{k} of what is served, group by group; the dashed line is the mean of all.",
        "线上排序在各人群中的 ndcg@{k}；虚线为总体平均。",
    ),
    "hardest": (
        "Beside its own models: in each group, what is served less the single model that presses it hardest.",
        "与自身单一模型相比：各人群中线上排序与最接近（或胜过它）的单一模型之差。",
    ),
    "group": ("group", "人群"),
    "count": ("customers", "顾客数"),
    "nearest": ("nearest model", "最接近的模型"),
    "above": ("served less it", "线上排序减该模型"),
    "lists": ("What the lists are like", "列表的特点"),
    "lists_about": (
        "Lorenz curve: which share of all showing the least shown dishes get; on the diagonal all are shown alike.",
        "洛伦兹曲线：展示最少的那部分菜品占全部展示的份额；对角线表示所有菜品展示均等。",
    ),
    "across": ("share of dishes, least shown first", "菜品份额（按展示从少到多）"),
    "up": ("share of all showing", "展示份额"),
    "shown": ("shown", "展示"),
    "ordered": ("ordered", "下单"),
    "coverage": ("coverage", "覆盖率"),
    "novelty": ("novelty (bits)", "新颖度（比特）"),
    "gini": ("Gini", "基尼系数"),
    "popularity": ("popularity", "热门度"),
    "popularity_about": (
        "Coverage: share of dishes that any list shows. Popularity: mean percentile of what is shown; what customers "
        "ordered has {ordered}.",
        "覆盖率：至少出现在一个列表中的菜品份额。热门度：所展示菜品的平均百分位；顾客实际下单的为 {ordered}。",
    ),
    "logged": ("What the log of real lists says", "线上日志的估计"),
    "logged_about": (
        "Share of shown dishes ordered within {days} days: as shown, and by this ranking, estimated from lists whose "
        "chances were logged. What a dish earns in a slot is taken not to depend on its neighbours.",
        "展示后 {days} 天内被下单的菜品份额：线上实际值，以及根据已记录概率的列表对本排序的估计。"
        "假定菜品在某位置的收益与相邻菜品无关。",
    ),
    "logged_counts": (
        "{lists} lists with {slots} slots, worth {worth} slots of this ranking. The log could have shown {support} of "
        "it; the rest counts as never taken where weights are not normalised. "
        "{clipped} of weights were clipped at {clip}.",
        "共 {lists} 个列表、{slots} 个位置，相当于本排序的 {worth} 个位置。日志可能展示过其中的 {support}；"
        "未归一化的估计把其余部分视为从未下单。"
        "{clipped} 的权重在 {clip} 处截断。",
    ),
    "log_logged": ("as shown", "线上实际"),
    "log_ips": ("weighted (IPS)", "逆概率加权"),
    "log_self_normalised": ("self-normalised", "自归一化"),
    "log_doubly_robust": ("doubly robust", "双重稳健"),
    "kind_history": ("history", "历史"),
    "kind_orders": ("orders before", "此前订单数"),
    "kind_recency": ("recency", "最近下单"),
    "kind_value": ("value", "价值等级"),
    "kind_lifecycle": ("lifecycle", "生命周期"),
    "kind_zone": ("zone", "配送区域"),
    "kind_dishes": ("dishes", "菜品"),
    "group_returning": ("returning", "老顾客"),
    "group_new": ("new", "新顾客"),
    "group_active": ("active", "活跃"),
    "group_dormant": ("dormant", "沉睡"),
    "group_slowing": ("slowing", "减缓"),
    "group_likely_lapsed": ("likely lapsed", "可能流失"),
    "group_lapsed": ("lapsed", "已流失"),
    "group_won_back": ("won back", "已召回"),
    "group_rare": ("rare", "冷门"),
    "group_common": ("common", "常见"),
    "group_(others)": ("(others)", "（其他）"),
}


def words(language: str) -> Mapping[str, str]:
    """Return every sentence in `language` (zh, else English)."""
    return {key: both[1 if language == "zh" else 0] for key, both in WORDS.items()}
