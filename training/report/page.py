"""An evaluation as one page: what was judged and how, for whom it is good, what the lists are like.

One HTML file that is XML too, with nothing from elsewhere: no script, no font, no picture but its own charts.
"""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from engine.charts.intervals import ChartRow, bars, dots
from engine.charts.svg import element, shortened
from engine.charts.unit_square import curve
from engine.errors import InputError
from engine.files.atomic import replace
from training.judge.groups import OTHERS
from training.report.words import words

STYLE = """
:root { --ink: #22303a; --soft: #66757f; --line: #dde3e7; --main: #1f6f78; --pale: #a9cdd1; --held: #c2542d; }
* { box-sizing: border-box; }
body { margin: 0; background: #f4f6f7; color: var(--ink);
  font: 15px/1.5 system-ui, "Segoe UI", Roboto, "Noto Sans", "Noto Sans CJK SC", "PingFang SC", sans-serif; }
main { max-width: 860px; margin: 0 auto; padding: 32px 20px 64px; }
h1 { font-size: 28px; margin: 0 0 4px; }
h2 { font-size: 19px; margin: 0 0 4px; }
p { margin: 0 0 12px; color: var(--soft); }
section { background: #fff; border: 1px solid var(--line); border-radius: 10px; padding: 20px 22px; margin-top: 18px; }
.tiles { display: flex; flex-wrap: wrap; gap: 12px; margin-top: 18px; }
.tile { flex: 1 1 150px; background: #fff; border: 1px solid var(--line); border-radius: 10px; padding: 14px 18px; }
.tile b { display: block; font-size: 24px; font-variant-numeric: tabular-nums; }
.tile span { display: block; color: var(--soft); font-size: 13px; }
table { border-collapse: collapse; width: 100%; font-size: 13.5px; margin-top: 12px; }
table { font-variant-numeric: tabular-nums; }
th { text-align: right; font-weight: 600; color: var(--soft); border-bottom: 1px solid var(--line); padding: 4px 8px; }
td { text-align: right; padding: 4px 8px; border-bottom: 1px solid #eef1f3; }
th:first-child, td:first-child { text-align: left; min-width: 13em; overflow-wrap: anywhere; }
th, td { white-space: nowrap; } th:first-child, td:first-child { white-space: normal; }
tr.strong td { font-weight: 600; color: var(--main); }
.wide { overflow-x: auto; }
svg { display: block; width: 100%; height: auto; font-size: 12px; fill: var(--ink); }
.wide svg:not(.square) { min-width: 620px; }
svg.square { max-width: 400px; margin: 0 auto; }
.bar { fill: var(--pale); } .bar.strong { fill: var(--main); }
.dot { fill: var(--main); } .dot.strong { fill: var(--held); }
.whisker { stroke: var(--ink); stroke-width: 1.3; fill: none; }
.grid { stroke: var(--line); } .zero { stroke: #8b99a2; } .frame { stroke: #8b99a2; fill: none; }
.held { stroke: var(--held); stroke-dasharray: 5 4; }
.curve { fill: none; stroke: #8b99a2; stroke-width: 2; } .curve.strong { stroke: var(--main); stroke-width: 2.5; }
.tick, .value { fill: var(--soft); font-size: 11px; } .strong, .heading { font-weight: 600; }
svg .strong { font-size: 11.5px; }
.heading { fill: var(--main); }
p:last-child { margin-bottom: 0; }
.wide + p, svg + p { margin-top: 10px; }
@media print { body { background: #fff; } section { break-inside: avoid; } }
"""


def write_report(path: Path, found: Mapping[str, Any], *, language: str) -> None:
    """Write the page of an evaluation (see `training.evaluate_home.evaluate_home`) to `path`, whole or not at all.

    Raises InputError when it cannot be written there.
    """
    page = report_html(found, language=language)
    try:
        replace(path, lambda file: file.write_text(page, encoding="utf-8"))
    except OSError as error:
        raise InputError(
            f"the report cannot be written: {error.strerror or error}; choose a file in a folder you may write to",
            where=str(path),
        ) from error


def check_writable(path: Path) -> None:
    """Raise InputError where a report could not be written, before minutes are spent on judging."""
    if path.is_dir():
        raise InputError("is a folder; name a file such as out.html", where=str(path))
    if not path.parent.is_dir():
        raise InputError("there is no such folder; make it first", where=str(path.parent))


def report_html(found: Mapping[str, Any], *, language: str) -> str:
    """Return the page in `language` (en or zh); every name is escaped, long ones are shortened."""
    say = words(language)
    logged = found.get("logged") or {}
    sections = [
        _models(found, say),
        _repeat_explore(found, say),
        _pairs(found, say),
        _groups(found, say),
        _lists(found, say),
        *([_logged(logged, say)] if logged.get("estimate") else []),
    ]
    page = element(
        "html",
        element(
            "head",
            element("meta", charset="utf-8"),
            element("meta", name="viewport", content="width=device-width, initial-scale=1"),
            element("title", say["title"]),
            element("style", STYLE),
        ),
        element("body", element("main", *_head(found, say), *sections)),
        lang=language,
    )
    return "<!DOCTYPE html>\n" + ET.tostring(page, encoding="unicode") + "\n"


def _head(found: Mapping[str, Any], say: Mapping[str, str]) -> list[ET.Element]:
    k, served = found["k"], found["served"]
    basis = found["basis"]
    tiles = [
        _tile(f"{found['customers']:,}", say["customers"], say["new"].format(count=f"{found['new']:,}")),
        _tile(served, say["served"], ""),
    ]
    for metric, name in (("recall", say["recall"]), ("ndcg", "ndcg"), ("hit", say["hit"])):
        value, bounds = found["models"][served][f"{metric}@{k}"], found["intervals"][served][f"{metric}@{k}"]
        between = f"{bounds[0]:.3f} – {bounds[1]:.3f}" if bounds else "–"
        tiles.append(_tile(_figure(value), f"{name}@{k}", between))
    protocol = say[basis["kind"]].format(file=shortened(basis["file"] or "", 80), days=basis["days"] or 0.0)
    return [
        element("h1", say["title"]),
        element("p", protocol),
        element("p", say["fair"]),
        element("p", _origin(found, say)),
        element("div", *tiles, class_="tiles"),
    ]


def _origin(found: Mapping[str, Any], say: Mapping[str, str]) -> str:
    """Return when and by what the page was made, and of which data, in sentences; days alone, in UTC."""
    made, data = found["made"], found["data"]
    counts = {name: f"{data[name]:,}" for name in ("baskets", "customers", "items")}
    at = made["at"][:16].replace("T", " ") if made["at"] else None
    told = [
        say["made_at" if at else "made"].format(at=at, release=made["regulars"]),
        say["window"].format(first=data["first_at"][:10], last=data["last_at"][:10], **counts)
        if data["first_at"]
        else say["no_window"].format(**counts),
    ]
    if data["split_at"]:
        told.append(say["split"].format(split=data["split_at"][:10]))
    if made["live"]:
        told.append(say["live"].format(live=made["live"]))
    return " ".join(told)


def _models(found: Mapping[str, Any], say: Mapping[str, str]) -> ET.Element:
    k, served = found["k"], found["served"]
    metric = f"ndcg@{k}"
    by_figure = sorted(found["models"], key=lambda name: -(found["models"][name][metric] or 0.0))
    rows = [
        ChartRow(name, found["models"][name][metric], found["intervals"][name][metric], name == served)
        for name in by_figure
    ]
    names = [f"recall@{k}", metric, f"hit@{k}"]
    table = _table(
        [say["model"], f"{say['recall']}@{k}", metric, f"{say['hit']}@{k}"],
        [[name, *(_between(found, name, each) for each in names)] for name in by_figure],
        strong=[name == served for name in by_figure],
    )
    return _section(say["models"], say["models_about"].format(k=k), bars(rows, f"{say['models']}: {metric}"), table)


def _repeat_explore(found: Mapping[str, Any], say: Mapping[str, str]) -> ET.Element:
    k, served = found["k"], found["served"]
    rows = []
    for part in ("repeat_recall", "explore_recall"):
        metric = f"{part}@{k}"
        rows.append(ChartRow(f"{say[part]}: {say['recall']}@{k}"))
        rows += [
            ChartRow(name, figures[metric], found["intervals"][name][metric], name == served)
            for name, figures in found["models"].items()
            if figures[metric] is not None
        ]
    return _section(say["repeat"], say["repeat_about"], bars(rows, say["repeat"]))


def _pairs(found: Mapping[str, Any], say: Mapping[str, str]) -> ET.Element:
    rows = [
        ChartRow(
            f"{pair['ours']} – {pair['model']}",
            pair["difference"],
            pair["interval"],
            strong=pair["ours"] == found["served"],
            beside=_signed(pair["difference"], pair["interval"]),
        )
        for pair in found["comparisons"]
        if pair["difference"] is not None
    ]
    about = say["pairs_about"].format(metric=f"ndcg@{found['k']}")
    return _section(say["pairs"], about, dots(rows, say["pairs"]))


def _groups(found: Mapping[str, Any], say: Mapping[str, str]) -> ET.Element:
    metric = f"ndcg@{found['k']}"
    rows, table, kind = [], [], None
    for group in found["groups"]:
        if group["kind"] != kind:
            kind = group["kind"]
            rows.append(ChartRow(say[f"kind_{kind}"]))
        bounds, hardest = group["intervals"][metric], group["hardest_single"]
        shown = f"{_figure(group['figures'][metric])} · n = {group['customers']:,}"
        called = _called(group, say)
        rows.append(ChartRow(called, group["figures"][metric], bounds, beside=shown))
        name = f"{say[f'kind_{kind}']}: {shortened(called, 60)}"
        span = f" ({bounds[0]:.3f} – {bounds[1]:.3f})" if bounds else ""
        table.append(
            [name, f"{group['customers']:,}", f"{_figure(group['figures'][metric])}{span}"]
            + [_figure(group["figures"][f"hit@{found['k']}"])]
            + ([hardest["model"], f"{hardest['difference']:+.3f}"] if hardest else ["–", "–"])
        )
    overall = found["models"][found["served"]][metric]
    heads = [say["group"], say["count"], metric, f"{say['hit']}@{found['k']}", say["nearest"], say["above"]]
    return _section(
        say["groups"],
        say["groups_about"].format(k=found["k"]),
        dots(rows, say["groups"], line=overall),
        element("p", say["hardest"]),
        _table(heads, table),
    )


def _called(group: Mapping[str, Any], say: Mapping[str, str]) -> str:
    """Return the group's name in the page's language; zones keep the operator's own."""
    name = str(group["name"])
    return name if group["kind"] == "zone" and name != OTHERS else say.get(f"group_{name}", name)


def _lists(found: Mapping[str, Any], say: Mapping[str, str]) -> ET.Element:
    k, exposure = found["k"], found["exposure"]
    lines = [
        (f"{say[name]}: {found['served']}" if name == "shown" else say[name], exposure[key])
        for name, key in (("shown", "served"), ("ordered", "ordered"))
        if exposure[key]
    ]
    names = ("coverage", "novelty", "gini", "popularity")
    table = _table(
        [say["model"], *(say[name] for name in names)],
        [[model, *(_figure(figures[f"{name}@{k}"]) for name in names)] for model, figures in found["models"].items()],
        strong=[model == found["served"] for model in found["models"]],
    )
    ordered = _figure(exposure["popularity_of_ordered"])
    return _section(
        say["lists"],
        say["lists_about"],
        curve(lines, say["lists"], say["across"], say["up"]),
        table,
        element("p", say["popularity_about"].format(ordered=ordered)),
    )


def _logged(logged: Mapping[str, Any], say: Mapping[str, str]) -> ET.Element:
    figures = logged["estimate"]
    rows = []
    for name in ("logged", "ips", "self_normalised", "doubly_robust"):
        value = figures[name]
        bounds = None if value["low"] is None else (value["low"], value["high"])
        rows.append(ChartRow(say[f"log_{name}"], value["value"], bounds, strong=name == "logged"))
    counted = say["logged_counts"].format(
        lists=f"{logged['lists']:,}",
        slots=f"{figures['slots']:,}",
        worth=f"{figures['effective_slots']:,.0f}",
        support=f"{figures['support']:.0%}",
        clipped=f"{figures['clipped']:.1%}",
        clip=f"{figures['clip']:.0f}",
    )
    about = say["logged_about"].format(days=f"{logged['within_days']:g}")
    return _section(say["logged"], about, dots(rows, say["logged"]), element("p", counted))


def _section(title: str, about: str, *parts: ET.Element) -> ET.Element:
    # A chart that is wider than a phone is moved sideways, as tables are; shrunk, nobody could read it.
    wide = (element("div", part, class_="wide") if part.tag == "svg" else part for part in parts)
    return element("section", element("h2", title), element("p", about), *wide)


def _tile(figure: str, name: str, under: str) -> ET.Element:
    return element("div", element("span", name), element("b", figure), element("span", under), class_="tile")


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]], strong: Sequence[bool] | None = None) -> ET.Element:
    body = [
        element("tr", *(element("td", cell) for cell in row), class_="strong" if strong and strong[i] else "row")
        for i, row in enumerate(rows)
    ]
    head = element("thead", element("tr", *(element("th", name) for name in heads)))
    return element("div", element("table", head, element("tbody", *body)), class_="wide")


def _between(found: Mapping[str, Any], name: str, metric: str) -> str:
    value, bounds = found["models"][name][metric], found["intervals"][name][metric]
    return _figure(value) + (f" ({bounds[0]:.3f} – {bounds[1]:.3f})" if bounds else "")


def _signed(value: float, bounds: Sequence[float] | None) -> str:
    return f"{value:+.3f}" + (f"  ({bounds[0]:+.3f} – {bounds[1]:+.3f})" if bounds else "")


def _figure(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"
