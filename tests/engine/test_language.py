"""Any language tag is kept; who has no text of their own gets the nearest there is."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.language import LANGUAGES, is_tag, nearest_tag, plain_tag, text_language

TAGS = st.from_regex(r"\A[a-z]{2,3}(-[A-Z][a-z]{3})?(-[A-Z]{2})?\Z")


@pytest.mark.parametrize("tag", ["en", "zh-CN", "zh_CN", "zh-Hant-TW", "pt-BR", "es-419", "sr-Latn-RS", "fil", "de"])
def test_tags_of_any_language_are_tags(tag: str) -> None:
    assert is_tag(tag)


@pytest.mark.parametrize(
    "text", ["", "e", "english", "中文", "en--US", "en-", "-en", "12", "en US", "a" * 40, "zh-" * 12]
)
def test_other_words_are_none(text: str) -> None:
    assert not is_tag(text)


@pytest.mark.parametrize(
    ("given_tag", "plain"),
    [
        ("zh_hant_tw", "zh-Hant-TW"),
        ("ZH-cn", "zh-CN"),
        ("EN", "en"),
        ("es-419", "es-419"),
        ("pt_br", "pt-BR"),
        ("en-x-ny", "en-x-ny"),
    ],
)
def test_tags_are_kept_in_the_usual_spelling(given_tag: str, plain: str) -> None:
    assert plain_tag(given_tag) == plain == plain_tag(plain)


@given(TAGS)
def test_a_tag_in_the_usual_spelling_stays_as_it_is(tag: str) -> None:
    assert is_tag(tag)
    assert plain_tag(plain_tag(tag)) == plain_tag(tag)


@pytest.mark.parametrize(
    ("tag", "default", "language"),
    [
        ("zh-TW", "en", "zh"),
        ("zh_CN", "en", "zh"),
        ("en-GB", "zh", "en"),
        ("de", "zh", "zh"),
        (None, "zh", "zh"),
        ("zho", "en", "en"),
    ],
)
def test_our_sentences_follow_the_language_else_the_homes(tag: str | None, default: str, language: str) -> None:
    assert text_language(tag, default) == language


@pytest.mark.parametrize(
    ("tag", "available", "default", "found"),
    [
        ("zh-TW", ["en", "zh"], "en", "zh"),
        ("zh-Hant-TW", ["zh", "zh-Hant", "en"], "en", "zh-Hant"),
        ("zh", ["en", "zh-CN"], "en", "zh-CN"),
        ("de-AT", ["en", "zh"], "zh", "zh"),
        (None, ["en", "zh"], "zh", "zh"),
        ("de", ["fr", "en"], "zh", "en"),
        ("de", ["pt-BR", "fr"], "zh", "fr"),
        ("zh_cn", ["zh-CN", "zh"], "en", "zh-CN"),
    ],
)
def test_a_reader_gets_the_nearest_text(tag: str | None, available: list[str], default: str, found: str) -> None:
    assert nearest_tag(tag, available, default) == found


@given(st.none() | TAGS, st.sets(TAGS, min_size=1), st.sampled_from(LANGUAGES))
def test_nobody_is_left_without_a_text(tag: str | None, available: set[str], default: str) -> None:
    assert nearest_tag(tag, {plain_tag(each) for each in available}, default) in {plain_tag(each) for each in available}
