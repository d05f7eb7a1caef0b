"""``kedro skew``: served scores made again from the versions that they saw."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import timedelta

import click
from kedro.framework.context import KedroContext
from kedro.framework.startup import ProjectMetadata
from pyspark.sql import functions as F
from rich.box import SIMPLE
from rich.table import Table

from lakehouse_ml.cli.champions import champions_of
from lakehouse_ml.cli.opened import opened
from lakehouse_ml.cli.trace import ENVIRONMENT, recorded_silver, silver_of, table_at
from lakehouse_ml.flights import USE_CASE
from lakehouse_ml.hooks.progress import console
from lakehouse_ml.registry import ModelReference
from lakehouse_ml.serving.columns import request_columns
from lakehouse_ml.trace.answers import Answered, answer_again, by_version, newest_answers
from lakehouse_ml.trace.entity import TraceError
from lakehouse_ml.trace.rebuild import features_again
from lakehouse_ml.trace.skew import (
    Batch,
    Compared,
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
        found = list(_compared(context, days, rows))
        console().print(_table(found))
        for one in found:
            if one.restated:
                console().print(f"{one.batch.run.run_id}: {_told(one)}")
        answered = list(_answered(context, days, rows))
    if answered:
        console().print(_answers_table(answered))
    faults = [*_faults(found), *(f"answers of version {a.version.version}" for a in answered if a.is_skewed)]
    if faults:
        raise click.ClickException(f"served and made again differ: {'; '.join(faults)}")


def _faults(found: list[Compared]) -> Iterator[str]:
    unequal = [one for one in found if one.equal_share < 1]
    if unequal:
        names = sorted({name for one in unequal for name in one.differing})
        yield f"{len(unequal)} of {len(found)} runs: {', '.join(names) or 'the score'}"


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


def _compared(context: KedroContext, days: int, rows: int) -> Iterator[Compared]:
    catalog = context.catalog
    since = catalog.load("run").as_of.date() - timedelta(days=days)
    predictions = catalog.load("ml_predictions")
    batches = served_batches(predictions, catalog.load("ops_runs"), since)
    if not batches:
        raise TraceError(
            f"ml.predictions has no row from {since} on: `kedro run --pipelines daily` scores what is due"
        )
    for batch in batches:
        yield _made_again(context, batch, rows)


def _made_again(context: KedroContext, batch: Batch, rows: int) -> Compared:
    keys = sampled(context.catalog.load("ml_predictions"), batch, rows)
    champion = champions_of(context).registry.load(ModelReference(batch.model_version, batch.model_digest))
    silver = recorded_silver(context, batch.run.versions)
    names, within = champion.feature_names, F.col("predict_date").isin(list(batch.days))
    tables = (
        table_at(context, "gold_features", batch.features_version).where(within),
        features_again(list(batch.days), batch.run, USE_CASE, silver),
        context.catalog.load("gold_features").where(within),
    )
    seen, again, today = (features_of_rows(table, keys, names) for table in tables)
    found = compare(batch, keys.toPandas(), seen, again, today, champion.model)
    if not found.restated:
        return found
    sources = tuple(source.name for source in USE_CASE.sources)
    return replace(found, files=late_files(batch, USE_CASE, silver_of(context, sources)))


def _table(found: list[Compared]) -> Table:
    table = Table(box=SIMPLE, pad_edge=False)
    for header in ("run", "version", "days", "rows", "equal when made again", "restated since"):
        table.add_column(header)
    for one in found:
        days = f"{one.batch.days[0]} to {one.batch.days[-1]}"
        share = f"{one.equal_share:.4%}" if one.equal_share < 1 else "all"
        cells = (
            one.batch.run.run_id,
            one.batch.model_version,
            days,
            f"{one.rows:,}",
            share,
            str(one.restated),
        )
        table.add_row(*cells)
    return table


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


def _told(one: Compared) -> str:
    files = _some(one.files) or "none on record"
    return f"{one.restated} rows have other features today; files that came since: {files}"


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - MOST_NAMES} more" if len(names) > MOST_NAMES else ""
    return f"{', '.join(names[:MOST_NAMES])}{more}"
