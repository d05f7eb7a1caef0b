"""``kedro skew``: served scores made again from the versions that they saw."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import timedelta

import click
from kedro.framework.context import KedroContext
from kedro.framework.startup import ProjectMetadata
from kedro.io import DatasetError
from pyspark.sql import functions as F
from rich.box import SIMPLE
from rich.table import Table

from lakehouse_ml.cli.champions import champions_of
from lakehouse_ml.cli.opened import opened
from lakehouse_ml.cli.trace import ENVIRONMENT, recorded_silver, silver_of, table_of
from lakehouse_ml.flights import USE_CASE
from lakehouse_ml.hooks.progress import console
from lakehouse_ml.registry import ModelReference
from lakehouse_ml.serving.columns import request_columns
from lakehouse_ml.trace.answers import Answered, answer_again, by_version, newest_answers
from lakehouse_ml.trace.entity import TraceError
from lakehouse_ml.trace.rebuild import features_again
from lakehouse_ml.trace.recorded import read_again
from lakehouse_ml.trace.skew import (
    Batch,
    Compared,
    NotCompared,
    compare,
    features_of_rows,
    late_files,
    sampled,
    served_batches,
)

MOST_NAMES = 5


@click.command()
@click.option(
    "--days", default=7, show_default=True, help="Days of predictions before the environment's now."
)
@click.option("--rows", default=500, show_default=True, help="About so many predictions of each run.")
@ENVIRONMENT
@click.pass_obj
def skew(metadata: ProjectMetadata, env: str | None, days: int, rows: int) -> None:
    """Make served scores again from what they saw, of batches and requests; fails when a single row differs."""
    with opened(metadata.project_path, env) as (_, context):
        batches = [_compared(context, batch, rows) for batch in _batches(context, days)]
        if batches:
            console().print(_table(batches))
        for one in batches:
            if isinstance(one, NotCompared) or one.restated:
                console().print(f"{one.batch.run.run_id}: {_told(one)}")
        found = [one for one in batches if isinstance(one, Compared)]
        answered = list(_answered(context, days, rows))
    if answered:
        console().print(_answers_table(answered))
    faults = [*_faults(found), *(f"answers of version {a.version.version}" for a in answered if a.is_skewed)]
    if faults:
        raise click.ClickException(f"served and made again differ: {'; '.join(faults)}")
    if batches and not found:
        raise click.ClickException("no batch could be made again, see above: nothing is known of them")
    if not batches and not answered:
        raise click.ClickException(
            f"nothing was served in the last {days} days: `kedro run --pipelines daily` scores what is due"
        )


def _faults(found: list[Compared]) -> Iterator[str]:
    unequal = [one for one in found if one.equal_share < 1]
    if unequal:
        names = sorted({name for one in unequal for name in one.differing})
        yield f"{len(unequal)} of {len(found)} runs: {', '.join(names) or 'the score'}"
        yield from sorted({doubt for one in unequal for doubt in one.doubts})


def _answered(context: KedroContext, days: int, rows: int) -> Iterator[Answered]:
    catalog = context.catalog
    if not catalog.exists("silver_requests"):
        return
    requests, registry = catalog.load("silver_requests"), catalog.load("model_registry")
    columns = request_columns(USE_CASE)
    for version, own in by_version(newest_answers(requests, days, rows)):
        keys = requests.where(F.col("key").isin(own["key"].unique().tolist()))
        champion = registry.load(version)
        gold = features_of_rows(catalog.load("gold_features"), keys, champion.feature_names)
        yield answer_again(own, champion, columns, gold)


def _batches(context: KedroContext, days: int) -> list[Batch]:
    catalog = context.catalog
    since = catalog.load("run").as_of.date() - timedelta(days=days)
    return served_batches(catalog.load("ml_predictions"), catalog.load("ops_runs"), since)


def _compared(context: KedroContext, batch: Batch, rows: int) -> Compared | NotCompared:
    """The batch made again; one that cannot be does not end the command for the others."""
    try:
        with read_again(f"run {batch.run.run_id}"):
            return _made_again(context, batch, rows)
    except (DatasetError, TraceError) as error:
        return NotCompared(batch, str(error))


def _made_again(context: KedroContext, batch: Batch, rows: int) -> Compared:
    keys = sampled(context.catalog.load("ml_predictions"), batch, rows)
    champion = champions_of(context).registry.load(ModelReference(batch.model_version, batch.model_digest))
    recorded = recorded_silver(context, batch.run.run_id)
    names, within = champion.feature_names, F.col("predict_date").isin(list(batch.days))
    gold = table_of(context, "gold_features")
    tables = (
        gold.load_version(batch.features_version).where(within),
        features_again(list(batch.days), batch.run, USE_CASE, recorded.silver),
        gold.load().where(within),
    )
    seen, again, today = (features_of_rows(table, keys, names) for table in tables)
    found = compare(batch, keys.toPandas(), seen, again, today, champion.model)
    found = replace(found, doubts=recorded.doubts)
    if not found.restated:
        return found
    silver = silver_of(context, tuple(recorded.silver))
    return replace(found, files=late_files(batch, USE_CASE, silver, recorded.silver))


def _table(found: Sequence[Compared | NotCompared]) -> Table:
    table = Table(box=SIMPLE, pad_edge=False)
    for header in ("run", "version", "days", "rows", "equal when made again", "restated since"):
        table.add_column(header)
    for one in found:
        days = f"{one.batch.days[0]} to {one.batch.days[-1]}"
        table.add_row(one.batch.run.run_id, one.batch.model_version, days, *_cells(one))
    return table


def _cells(one: Compared | NotCompared) -> tuple[str, str, str]:
    """Rows, how many are equal, how many are restated."""
    if isinstance(one, NotCompared):
        return "", "not compared", ""
    share = f"{one.equal_share:.4%}" if one.equal_share < 1 else "all"
    return f"{one.rows:,}", share, str(one.restated)


def _answers_table(answered: list[Answered]) -> Table:
    table = Table(title="Requests", title_justify="left", box=SIMPLE, pad_edge=False)
    for header in ("version", "rows", "equal when made again", "asked with gold's features of today"):
        table.add_column(header)
    for one in answered:
        equal = "all" if one.equal == one.made_again else f"{one.equal:,}"
        rest = f" of {one.made_again:,}; the rest lacks features or breaks today's contracts"
        more = rest if one.made_again < one.rows else ""
        others = f"; the others differ in {_some(one.differing)}" if one.differing else ""
        table.add_row(
            one.version.version,
            f"{one.rows:,}",
            f"{equal}{more}",
            f"{one.as_gold:,} of {one.in_gold:,} that it has{others}",
        )
    return table


def _told(one: Compared | NotCompared) -> str:
    if isinstance(one, NotCompared):
        return f"not compared: {one.why}"
    files = _some(one.files) or "none on record"
    return f"{one.restated} rows have other features today; files that came since: {files}"


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - MOST_NAMES} more" if len(names) > MOST_NAMES else ""
    return f"{', '.join(names[:MOST_NAMES])}{more}"
