"""`regulars recommend everyone`: the best dishes of every customer in one file."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli.output import HomeOption, JsonOption, print_facts, print_json, progress, settings_for
from cli.recommend.commands import recommend
from engine.errors import BadRequest, NotFound

if TYPE_CHECKING:
    from engine.recommend.batch.list_file import ExportSpec
    from engine.settings import Settings


class ListModel(StrEnum):
    """Who ranks: all models as the service does, or the factors of taste alone."""

    published = "served"
    als = "als"


@recommend.command()
def everyone(
    out: Annotated[Path, typer.Option("--out", help="The Parquet file to write.", show_default=False)],
    top: Annotated[int, typer.Option("--top", min=1, max=1000, help="How many dishes a customer.")] = 50,
    model: Annotated[
        ListModel, typer.Option("--model", help="served: as the service ranks; als: by factors alone, far faster.")
    ] = ListModel.published,
    at: Annotated[
        str | None,
        typer.Option(
            "--at", help="An instant such as 2026-03-01T12:00; default the newest order trained on.", show_default=False
        ),
    ] = None,
    processes: Annotated[
        int | None,
        typer.Option("--processes", min=1, max=256, help="How many share the work; default all.", show_default=False),
    ] = None,
    home: HomeOption = None,
    json: JsonOption = False,
) -> None:
    """Write the best dishes of every customer, for campaigns and as lists to fall back on.

    Columns: customer_id, rank from 1, item_id, score. Dishes are available and delivered to the zone of their last
    order or, where the customer is registered and has not ordered, to their home zone; opening hours, diets and what
    the customer called not interesting are for the moment a list is shown. Stopped midway, the same command goes on
    where it was; the file appears whole or not at all.

    [bold]Examples[/bold]

      regulars recommend everyone --out lists.parquet

      regulars recommend everyone --top 20 --model als --out lists.parquet --json
    """
    from engine.recommend.batch.list_file import write_lists  # noqa: PLC0415 - with the others: help loads no model

    settings = settings_for(home)
    if out.suffix != ".parquet":
        raise BadRequest(f"{str(out)!r} does not end in .parquet, which is what is written", where="--out")
    recipe = _recipe(settings, model, top, at)
    with progress() as bar:
        task = bar.add_task("lists by customer", total=None)
        done = write_lists(
            settings,
            recipe,
            out,
            processes=processes or os.cpu_count() or 1,
            report=lambda count, total: bar.update(task, completed=count, total=total),
        )
    facts = {
        "model": recipe.model,
        "model_version": recipe.version,
        "at": datetime.fromtimestamp(recipe.at_s, UTC).isoformat(),
        "customers": done.customers,
        "without_order": done.newcomers,
        "rows": done.rows,
        "done_before": done.resumed,
    }
    if json:
        print_json({"file": str(done.file), "top": top, **facts})
    else:
        print_facts(f"Best {top} in {done.file}", facts)


def _recipe(settings: Settings, model: ListModel, top: int, at: str | None) -> ExportSpec:
    """Return what the live version is asked. Raises NotFound before the first training, BadRequest for a wrong `at`."""
    from engine.artifact import live_version, manifest_of  # noqa: PLC0415
    from engine.customers.moment import read_moment  # noqa: PLC0415
    from engine.recommend.batch.list_file import ExportSpec, tables_digest  # noqa: PLC0415
    from engine.recommend.request import AHEAD  # noqa: PLC0415

    version = live_version(settings.artifacts_folder)
    if version is None:
        raise NotFound("nothing has been trained yet; run `regulars train`", where=str(settings.home))
    first, last = (
        datetime.fromisoformat(manifest_of(settings.artifacts_folder, version)["data"][key])
        for key in ("first_at", "last_at")
    )
    asked_at = last if at is None else read_moment(at, settings.timezone, where="--at").at
    if asked_at < first:
        raise BadRequest(f"lies before the first order we know ({first.isoformat()})", where="--at")
    if at is not None and asked_at > datetime.now(UTC) + AHEAD:
        raise BadRequest(f"lies more than a year ahead ({asked_at.isoformat()}); check the clock", where="--at")
    tables = tables_digest(settings)
    return ExportSpec(version=version, model=model.value, top=top, at_s=int(asked_at.timestamp()), tables=tables)
