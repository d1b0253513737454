"""The report is one page that stands alone, shows the figures, and lets no name become markup."""

from __future__ import annotations

import html.parser
import json
import re
import sys
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import Element

import pytest

from cli.main import run
from engine.errors import InputError
from engine.history.opening import open_history
from engine.settings import Settings
from tests.baskets import random_town, tables
from training.evaluate_home import evaluate_home
from training.report.page import check_writable, report_html, write_report
from training.report.words import WORDS, words

HOSTILE = '</title><script>alert("1")</script>&\x00\u202e"\' 山' + "x" * 300
SVG = "{http://www.w3.org/2000/svg}"


def regulars(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, *words: Path | str
) -> tuple[object, str, str]:
    monkeypatch.setattr(sys, "argv", ["regulars", *(str(word) for word in words)])
    with pytest.raises(SystemExit) as left:
        run()
    told = capsys.readouterr()
    return left.value.code, told.out, told.err


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """An evaluation of a town whose zones have hostile names."""
    settings = Settings.from_environment({}, home=tmp_path_factory.mktemp("home"))
    told = random_town(150, 15, seed=2)
    open_history(settings).append(*tables(told, zones={name: HOSTILE if name < "c080" else "east" for name in told}))
    return evaluate_home(settings, horizon_days=28, future=None, k=5, seed=0, report=lambda _: None)


def parsed(page: str) -> Element:
    return ET.fromstring(page)  # noqa: S314 - what we wrote ourselves


def texts(page: str) -> str:
    return " ".join("".join(parsed(page).itertext()).split())


@pytest.mark.parametrize("language", ["en", "zh"])
def test_the_page_shows_every_model_and_group_with_its_figures(found: dict[str, Any], language: str) -> None:
    page = report_html(found, language=language)
    text = texts(page)
    assert words(language)["title"] in text
    for name, figures in found["models"].items():
        assert name in text
        assert f"{figures['ndcg@5']:.3f}" in text
        low, high = found["intervals"][name]["ndcg@5"]
        assert f"({low:.3f} – {high:.3f})" in text
    for group in found["groups"]:
        assert f"n = {group['customers']:,}" in text
        assert f"{group['figures']['ndcg@5']:.3f}" in text
    assert f"{found['customers']:,}" in text


@pytest.mark.parametrize("language", ["en", "zh"])
def test_the_page_says_when_and_by_what_it_was_made_and_of_which_data(found: dict[str, Any], language: str) -> None:
    made = found["made"] | {"at": "2026-03-01T09:30:00+00:00", "live": "20260226T030000000000Z"}
    text = texts(report_html(found | {"made": made}, language=language))
    for told in ("2026-03-01 09:30", f"Regulars {made['regulars']}", made["live"], f"{found['data']['baskets']:,}"):
        assert told in text
    for name in ("first_at", "last_at", "split_at"):
        assert found["data"][name][:10] in text
    undated = found["data"] | dict.fromkeys(("first_at", "last_at", "split_at"))
    without = texts(report_html(found | {"data": undated}, language=language))
    assert words(language)["no_window"].split("{")[0] in without


def test_what_stands_beside_a_row_ends_before_the_charts_edge(found: dict[str, Any]) -> None:
    page = parsed(report_html(found, language="en"))
    values = [each for each in page.iter(f"{SVG}text") if each.get("class") in {"value", "strong"}]
    beside = [each for each in values if each.get("x") == "552"]
    signed = [each.text for each in beside if each.text and each.text[0] in "+-"]
    assert signed
    # Bold digits of the widest usual font at 11.5 px are 8 px wide.
    assert all(552 + 8 * len(each.text or "") <= 760 for each in beside)


def test_hostile_names_stay_text(found: dict[str, Any]) -> None:
    assert any(group["name"] == HOSTILE for group in found["groups"])
    page = report_html(found, language="en")
    assert "<script" not in page
    assert "\x00" not in page
    assert "\u202e" not in page
    assert "x" * 250 not in page
    assert '</title><script>alert("1"' in texts(page)


def test_nothing_is_fetched_from_elsewhere(found: dict[str, Any]) -> None:
    page = report_html(found, language="en")
    told: list[tuple[str, dict[str, str | None]]] = []

    class Reader(html.parser.HTMLParser):
        def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
            told.append((tag, dict(attrs)))

    Reader().feed(page)
    assert {tag for tag, _ in told} >= {"html", "svg", "table", "style", "polyline", "circle", "rect"}
    assert not {"script", "link", "img", "iframe", "object", "use", "image"} & {tag for tag, _ in told}
    for _, attributes in told:
        assert not {"src", "href", "xlink:href", "srcset", "data"} & attributes.keys()
    assert not re.search(r"url\(|@import", page)


def test_both_languages_say_the_same_things_with_the_same_blanks() -> None:
    blanks = re.compile(r"\{[^}]*\}")
    for key, (english, chinese) in WORDS.items():
        assert sorted(blanks.findall(english)) == sorted(blanks.findall(chinese)), key
        assert re.search("[\u4e00-\u9fff]", chinese) or chinese == english, key
        # Chinese sentences are punctuated as Chinese.
        assert chinese == english or not re.search("[,;:?!()]", blanks.sub("", chinese)), key


def test_a_failed_write_leaves_the_old_page_whole(
    found: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = tmp_path / "out.html"
    write_report(page, found, language="en")
    before = page.read_bytes()
    monkeypatch.setattr(
        "pathlib.Path.replace", lambda *_: (_ for _ in ()).throw(OSError(28, "No space left on device"))
    )
    with pytest.raises(InputError, match=r"out\.html: the report cannot be written: No space left on device"):
        write_report(page, found, language="zh")
    monkeypatch.undo()
    assert page.read_bytes() == before
    assert [each.name for each in tmp_path.iterdir()] == ["out.html"]


def test_a_place_that_cannot_be_written_is_named_at_once(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="there is no such folder"):
        check_writable(tmp_path / "no" / "out.html")
    with pytest.raises(InputError, match="is a folder"):
        check_writable(tmp_path)


def test_the_command_writes_the_page_and_still_prints_json(
    settings: Settings, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    open_history(settings).append(*tables(random_town(60, 15, seed=2)))
    page = tmp_path / "out.html"
    code, out, err = regulars(
        capsys, monkeypatch, "evaluate", "--home", settings.home, "--report", page, "--language", "zh", "--json"
    )
    assert not code, err
    told = json.loads(out)
    assert f"{told['models']['blend']['ndcg@10']:.3f}" in texts(page.read_text(encoding="utf-8"))
    assert "推荐质量报告" in page.read_text(encoding="utf-8")


def test_a_language_we_do_not_speak_is_one_line(
    settings: Settings, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    code, _, err = regulars(capsys, monkeypatch, "evaluate", "--home", settings.home, "--language", "fr")
    assert code == 2
    assert "--language: 'fr' is no language" in err
    assert len(err.splitlines()) == 1
