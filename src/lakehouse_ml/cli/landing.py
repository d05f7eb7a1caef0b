"""``kedro land``: the upstream systems, played."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click
import pandas as pd
from kedro.framework.cli.utils import env_option
from kedro.framework.startup import ProjectMetadata
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from lakehouse_ml.cli.opened import conf_of
from lakehouse_ml.flights.feed import SEED, Every, FeedError, Landed, Mess, feed_records, feed_window, publish
from lakehouse_ml.flights.sources import SOURCES

INSTANT = click.DateTime(["%Y-%m-%d", "%Y-%m-%dT%H", "%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%SZ"])
FROM = "UTC; land the files that arrive later. Default: the feed's start."
UNTIL = "UTC; land the files whose period has ended by then. Default: the feed's end."
ENVIRONMENT = "Environment whose landing folder is filled. Default: the project's."


@click.command()
@click.option("--from", "start", type=INSTANT, metavar="TIME", help=FROM)
@click.option("--until", type=INSTANT, metavar="TIME", help=UNTIL)
@click.option("--every", type=click.Choice(["day", "hour"]), default="day", show_default=True)
@click.option("--messy", is_flag=True, help="Damage some records and files, and list them in a manifest.")
@click.option("--seed", default=SEED, show_default=True, help="Chooses what --messy damages.")
@env_option(envvar="KEDRO_ENV", help=ENVIRONMENT)
@click.pass_obj
def land(metadata: ProjectMetadata, env: str | None, messy: bool, seed: int, **window: Any) -> None:
    """Play the feed into the environment's landing folder; add only what is missing."""
    folder = landing_folder(metadata.project_path, env)
    console = Console()
    try:
        landed = _play(console, folder, Mess(seed) if messy else None, **window)
    except FeedError as error:
        raise click.ClickException(str(error)) from error
    console.print(f"New in {folder}", soft_wrap=True)
    console.print(_landed_table(landed))


def _play(
    console: Console,
    folder: Path,
    mess: Mess | None,
    start: datetime | None,
    until: datetime | None,
    every: Every,
) -> list[Landed]:
    with Progress(console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task("reading the year", total=len(SOURCES))
        records = feed_records()
        window = feed_window(records, utc(start), utc(until), every)
        arriving = publish(records, folder, window, mess)
        return list(progress.track(arriving, task_id=task, description="landing"))


def utc(at: datetime | None) -> pd.Timestamp | None:
    """The moment in UTC; None stays None."""
    return None if at is None else pd.Timestamp(at.replace(tzinfo=UTC))


def _landed_table(landed: list[Landed]) -> Table:
    table = Table("source")
    for header in ("files", "lines"):
        table.add_column(header, justify="right")
    for source in landed:
        table.add_row(source.source, f"{source.files:,}", f"{source.lines:,}")
    return table


def landing_folder(project_path: Path, env: str | None) -> Path:
    """Landing folder of an environment, as its catalog has it.

    Args:
        project_path: Root of the project; a relative folder starts there.
        env: Name of the environment; None takes Kedro's default.

    Raises:
        click.ClickException: No such environment, or its globals lack a value.
    """
    loader = conf_of(project_path, env)
    for name in ("landing_root", "catalog"):
        if not loader["globals"].get(name):
            raise click.ClickException(
                f"{loader.conf_source}/{loader.env}/globals.yml and its base lack {name}; add it"
            )
    return project_path / str(loader["catalog"]["landing_files"]["folder"])
