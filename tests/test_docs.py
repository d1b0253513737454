"""The reference says what the code does: a setting, event, error, column, verb or route cannot go undocumented."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from cli.docs import PAGES, commands
from cli.main import app

ROOT = Path(__file__).parent.parent
PAGES_WITH_LINKS = [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").rglob("*.md"))]


@pytest.mark.parametrize("name", sorted(PAGES))
def test_the_reference_is_the_one_the_code_writes(name: str) -> None:
    page = (ROOT / "docs" / "reference" / name).read_text(encoding="utf-8")
    assert page == PAGES[name](), f"docs/reference/{name} is behind the code; run `make docs`"


@pytest.mark.parametrize("page", PAGES_WITH_LINKS, ids=lambda p: str(p.relative_to(ROOT)))
def test_every_link_between_pages_leads_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\((?!https?:|#|mailto:)([^)#]+)", page.read_text(encoding="utf-8")):
        assert (page.parent / target).exists(), f"{page.name} links to {target}"


def test_every_command_has_an_example_in_its_help() -> None:
    import typer

    for path, command in commands(typer.main.get_command(app), "regulars"):
        assert re.search(r"Example", command.help or ""), f"{path} --help shows no example"
        options = {name for parameter in command.params for name in parameter.opts}
        assert {"--home", "--json"} <= options, f"{path} lacks --home or --json"


def test_every_setting_in_the_code_is_described() -> None:
    described = (ROOT / "docs" / "reference" / "settings.md").read_text(encoding="utf-8")
    rooms = ("engine", "training", "campaigns", "api", "cli", "demo")
    for path in (path for room in rooms for path in (ROOT / room).rglob("*.py")):
        for name in re.findall(r"\bREGULARS_[A-Z_]+\b", path.read_text(encoding="utf-8")):
            assert f"`{name}`" in described, (
                f"{path.relative_to(ROOT)} reads {name}, which settings.md does not describe"
            )


def test_readme_fits_two_screens_and_names_the_two_commands() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert len(text.splitlines()) <= 110
    assert "make demo" in text
    assert "make test" in text
    assert "SPDX-License-Identifier: Apache-2.0" in text


def test_the_lock_names_no_registry_and_every_version_has_hashes() -> None:
    lock = (ROOT / "requirements.lock").read_text(encoding="utf-8")
    assert "http" not in re.sub(r"^(aio)?http\w*==|^httpcore\S*|^httptools\S*|^httpx\S*", "", lock, flags=re.MULTILINE)
    for entry in re.split(r"\n(?=\S)", lock.strip()):
        if not entry.startswith("#"):
            assert "--hash=sha256:" in entry, entry.splitlines()[0]


@pytest.mark.parametrize("page", sorted((ROOT / "docs" / "decisions").glob("0*.md")), ids=lambda p: p.stem)
def test_a_decision_is_short_and_says_what_else_there_was(page: Path) -> None:
    text = page.read_text(encoding="utf-8").partition("\n")[2]
    assert len(re.sub(r"\]\([^)]*\)", "]", text).split()) <= 250, (
        f"{page.name}: measurements belong to benchmarks/results"
    )
    assert "Alternatives" in text
    assert page.name in (ROOT / "docs" / "decisions" / "README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("page", ["docs/extend.md", "docs/guides/from_request_to_score.md", "docs/house.md"])
def test_a_page_names_only_files_there_are(page: str) -> None:
    text = (ROOT / page).read_text(encoding="utf-8")
    named = re.findall(r"`((?:engine|training|campaigns|api|cli|demo|tests|benchmarks)/[^`<*]*)`", text)
    assert named or page == "docs/house.md"
    for path in named:
        assert (ROOT / path).exists(), f"{page} names {path}"


def test_the_page_on_a_request_is_read_in_one_sitting() -> None:
    assert len((ROOT / "docs" / "guides" / "from_request_to_score.md").read_text(encoding="utf-8").splitlines()) <= 100
