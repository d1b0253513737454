"""Everybody's lists reach one file whole, whatever happens on the way."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import uuid4

import numpy as np
import polars as pl
import pytest

from engine.errors import ArtifactBroken, BadRequest, Conflict, MissingFile
from engine.files.atomic import locked
from engine.models.query import Place
from engine.recommend.batch.everyone import ZoneMasks
from engine.recommend.batch.list_file import SCHEMA, ExportSpec, tables_digest, write_lists
from engine.recommend.scoring.allowed import NO_DISH, Allowed
from engine.settings import Settings
from tests.engine.recommend.conftest import NOW, Town, orderable

# Writes the lists, and kills its own process as soon as three parts are there.
KILLED = """
import os, pathlib, signal, sys
from engine.recommend.batch.list_file import ExportSpec, write_lists
from engine.settings import Settings
home, file, version, model, tables, processes = sys.argv[1:]
recipe = ExportSpec(version=version, model=model, top=5, at_s={at_s}, tables=tables, part=10)
def report(done, total):
    if done >= 30:
        os.kill(os.getpid(), signal.SIGKILL)
write_lists(
    Settings.from_environment({{}}, home=pathlib.Path(home)), recipe, pathlib.Path(file), processes=int(processes),
    report=report,
)
"""


def recipe_of(town: Town, model: str, **other: Any) -> ExportSpec:
    made = ExportSpec(
        version=town.published.version,
        model=model,
        top=5,
        at_s=int(NOW.timestamp()),
        tables=tables_digest(town.settings),
        part=10,
    )
    return replace(made, **other)


def parts_beside(file: Path) -> list[Path]:
    return sorted(file.parent.glob(f".{file.name}.parts/0*.parquet"))


@pytest.mark.parametrize("model", ["served", "als"])
def test_the_file_holds_everybodys_list_in_order(town: Town, tmp_path: Path, model: str) -> None:
    file, heard = tmp_path / "lists.parquet", []
    done = write_lists(
        town.settings, recipe_of(town, model), file, processes=1, report=lambda *each: heard.append(each)
    )
    found = pl.read_parquet(file)
    assert dict(found.schema) == SCHEMA
    ordered = town.published.customers.names(range(len(town.published.customers)))
    everybody = [*ordered, "nina"]  # registered, and without an order
    assert ordered == sorted(ordered)
    assert found["customer_id"].unique(maintain_order=True).to_list() == everybody
    assert found["rank"].to_list() == [1, 2, 3, 4, 5] * len(everybody)
    assert (done.customers, done.newcomers, done.rows) == (len(everybody), 1, found.height)
    assert done.resumed == 0
    assert heard[0] == (0, len(everybody))
    assert heard[-1] == (len(everybody), len(everybody))
    assert list(tmp_path.iterdir()) == [file]


def test_what_the_file_says_of_a_customer_is_her_pool(town: Town, tmp_path: Path) -> None:
    write_lists(town.settings, recipe_of(town, "served"), tmp_path / "lists.parquet", processes=1)
    found = pl.read_parquet(tmp_path / "lists.parquet")
    menus = ZoneMasks(town.published, town.catalog)
    for customer in ("c001", "c017", "rita", "vera"):
        query = town.published.query(customer, (), now=int(NOW.timestamp()), place=Place())
        pool = town.published.scorer.pool(query, Allowed(menus.mask(query.place.zone), None, NO_DISH), size=5)
        own = found.filter(pl.col("customer_id") == customer)
        assert own["item_id"].to_list() == town.published.items.names(pool.columns)
        assert np.array_equal(own["score"].to_numpy(), pool.scores)


@pytest.mark.parametrize("model", ["served", "als"])
def test_one_without_an_order_gets_what_the_service_shows_her_at_home(town: Town, tmp_path: Path, model: str) -> None:
    write_lists(town.settings, recipe_of(town, model), tmp_path / "lists.parquet", processes=1)
    found = pl.read_parquet(tmp_path / "lists.parquet").filter(pl.col("customer_id") == "nina")
    assert found["item_id"].to_list() == town.shown("nina", zone="z1", limit=5)
    assert all(orderable(dish, "z1", NOW.hour) for dish in found["item_id"])


def test_several_processes_write_the_bytes_that_one_writes(town: Town, tmp_path: Path) -> None:
    for processes in (1, 2):
        write_lists(town.settings, recipe_of(town, "served"), tmp_path / f"{processes}.parquet", processes=processes)
    assert (tmp_path / "1.parquet").read_bytes() == (tmp_path / "2.parquet").read_bytes()


@pytest.mark.parametrize(("model", "processes"), [("als", 1), ("served", 2)])
def test_killed_midway_it_leaves_the_old_file_and_goes_on_where_it_was(
    town: Town, tmp_path: Path, model: str, processes: int
) -> None:
    file, recipe = tmp_path / "lists.parquet", recipe_of(town, model)
    file.write_bytes(b"the old lists")
    words = [str(town.settings.home), str(file), recipe.version, model, recipe.tables, str(processes)]
    killed = subprocess.run([sys.executable, "-c", KILLED.format(at_s=recipe.at_s), *words], check=False, timeout=60)
    assert killed.returncode == -signal.SIGKILL
    assert file.read_bytes() == b"the old lists"
    left = parts_beside(file)
    assert len(left) >= 3
    assert all(pl.read_parquet(part).height for part in left), "a part is whole or not there"
    heard: list[int] = []
    done = write_lists(town.settings, recipe, file, processes=1, report=lambda count, _: heard.append(count))
    assert done.resumed >= 30
    assert heard[0] == done.resumed
    write_lists(town.settings, recipe, tmp_path / "at_once.parquet", processes=1)
    assert file.read_bytes() == (tmp_path / "at_once.parquet").read_bytes()
    assert sorted(tmp_path.iterdir()) == [tmp_path / "at_once.parquet", file]


def test_workers_end_when_their_parent_was_killed(town: Town, tmp_path: Path) -> None:
    recipe = recipe_of(town, "served")
    words = [str(town.settings.home), str(tmp_path / "l.parquet"), recipe.version, "served", recipe.tables, "2"]
    code = KILLED.format(at_s=recipe.at_s)
    mark = uuid4().hex
    # An interpreter's -W is handed on to the workers' command lines, by which they can be found.
    subprocess.run([sys.executable, "-W", f"ignore:{mark}", "-c", code, *words], check=False, timeout=60)
    end = time.monotonic() + 20
    while (alive := running(mark)) and time.monotonic() < end:
        time.sleep(0.1)
    assert not alive


def running(word: str) -> list[str]:
    """Return the command lines of living processes that hold `word`."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            line = path.read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue  # it ended meanwhile
        if word in line:
            found.append(line)
    return found


def test_parts_of_another_recipe_are_thrown_away(town: Town, tmp_path: Path) -> None:
    file = tmp_path / "lists.parquet"
    folder = tmp_path / ".lists.parquet.parts"

    def stop(done: int, _: int) -> None:
        if done >= 30:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_lists(town.settings, recipe_of(town, "als", top=3), file, processes=1, report=stop)
    assert len(parts_beside(file)) == 3
    (folder / ".000003.parquet.1.tmp").write_bytes(b"half a part")
    done = write_lists(town.settings, recipe_of(town, "als"), file, processes=1)
    assert done.resumed == 0
    assert pl.read_parquet(file)["rank"].max() == 5
    assert not folder.exists()


def test_only_one_run_writes_a_file(town: Town, tmp_path: Path) -> None:
    with locked(tmp_path / ".lists.parquet.parts"), pytest.raises(Conflict):
        write_lists(town.settings, recipe_of(town, "als"), tmp_path / "lists.parquet", processes=1)


def test_what_cannot_be_written_or_read_is_said_at_once(town: Town, tmp_path: Path) -> None:
    recipe = recipe_of(town, "als")
    with pytest.raises(MissingFile, match="no such folder"):
        write_lists(town.settings, recipe, tmp_path / "none" / "lists.parquet", processes=1)
    with pytest.raises(BadRequest, match="is a folder"):
        write_lists(town.settings, recipe, tmp_path, processes=1)
    with pytest.raises(ArtifactBroken, match="train again"):
        write_lists(
            Settings.from_environment({}, home=tmp_path), replace(recipe, version="v"), tmp_path / "l", processes=1
        )


def test_another_items_table_makes_another_recipe(town: Town, settings: Settings) -> None:
    assert tables_digest(settings) != tables_digest(town.settings)
    assert tables_digest(town.settings) == tables_digest(town.settings)
