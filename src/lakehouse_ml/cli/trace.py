"""``kedro lineage``, ``kedro explain`` and ``kedro rebuild``: from a model or a score back to what it is made of."""

from typing import Any

import click
import pandas as pd
from kedro.framework.cli.utils import env_option
from kedro.framework.context import KedroContext
from kedro.framework.startup import ProjectMetadata
from pyspark.sql import DataFrame
from rich.box import SIMPLE
from rich.console import Group, RenderableType
from rich.table import Table
from rich.tree import Tree

from lakehouse_ml.champion import Champions
from lakehouse_ml.cli.champions import champions_of
from lakehouse_ml.cli.opened import opened
from lakehouse_ml.datasets import DeltaTable
from lakehouse_ml.flights import USE_CASE
from lakehouse_ml.hooks.progress import console
from lakehouse_ml.registry import Champion, ModelReference
from lakehouse_ml.trace.entity import (
    StoredPrediction,
    check_features,
    features_of,
    lines_about,
    predictions_of,
)
from lakehouse_ml.trace.explain import Explanation, explain
from lakehouse_ml.trace.lineage import (
    Chain,
    decision_on,
    files_in_reach,
    prediction_chain,
    refuse_copy,
    trained_for,
    version_chain,
)
from lakehouse_ml.trace.rebuild import compared, training_rows
from lakehouse_ml.trace.recorded import Recorded, read_again, silver_seen

MOST_PARTS = 12
ENVIRONMENT = env_option(envvar="KEDRO_ENV", help="Environment that it is in. Default: the project's.")


@click.command()
@click.option("--version", help="Version of the model.")
@click.option("--prediction", "key", metavar="KEY", help="Key of what was predicted.")
@ENVIRONMENT
@click.pass_obj
def lineage(metadata: ProjectMetadata, env: str | None, version: str | None, key: str | None) -> None:
    """Print the chain back to landing files and lines, of a version or of a prediction."""
    if (version is None) == (key is None):
        raise click.ClickException("give either --version or --prediction")
    with opened(metadata.project_path, env) as (_, context):
        chain = (
            _version_chain(version, context) if version is not None else _prediction_chain(str(key), context)
        )
        console().print(_tree(chain))


def _version_chain(version: str, context: KedroContext) -> Chain:
    state = champions_of(context).ledger.state()
    return version_chain(version, state, context.catalog.load("ops_ingestion_log"))


def _prediction_chain(key: str, context: KedroContext) -> Chain:
    prediction = predictions_of(key, context.catalog.load("ml_predictions"))[0]
    log = context.catalog.load("ops_ingestion_log")
    with read_again(f"what is known of {key}"):
        seen = recorded_silver(context, prediction.run_id).silver
        lines = lines_about(key, USE_CASE, silver_of(context, USE_CASE.spine.named_in), seen)
        files = files_in_reach(USE_CASE, log, prediction.predict_at, seen)
    version = _version_chain(prediction.model_version, context)
    return prediction_chain(prediction, lines, USE_CASE, files, version)


def silver_of(context: KedroContext, names: tuple[str, ...]) -> dict[str, DataFrame]:
    """Silver tables by name, as they stand."""
    return {name: context.catalog.load(f"silver_{name}") for name in names}


def table_of(context: KedroContext, name: str) -> DeltaTable:
    """A table of the catalog, with its versions."""
    table = context.catalog[name]
    assert isinstance(table, DeltaTable)
    return table


def recorded_silver(context: KedroContext, run_id: str) -> Recorded:
    """Silver tables as the run saw them."""
    tables = {source.name: table_of(context, f"silver_{source.name}") for source in USE_CASE.sources}
    return silver_seen(run_id, context.catalog.load("ops_runs"), tables)


def _tree(chain: Chain) -> Tree:
    (root, below), *_ = chain.items()
    return _branch(Tree(root), below)


def _branch(tree: Tree, chain: Chain) -> Tree:
    for text, below in chain.items():
        _branch(tree.add(text), below)
    return tree


@click.command(name="explain")
@click.option(
    "--flight", "key", required=True, metavar="KEY", help="Key of the flight, as in ml.predictions."
)
@ENVIRONMENT
@click.pass_obj
def explain_flight(metadata: ProjectMetadata, env: str | None, key: str) -> None:
    """Print what was landed about a flight, what was known, its features, and what each did to the score."""
    with opened(metadata.project_path, env) as (_, context):
        found = explanation_of(key, context)
        console().print(explanation_page(found))
        if not found.is_same:
            raise click.ClickException(
                f"the score made again is {found.recomputed!r}, stored is {found.prediction.score!r}"
            )


def explanation_of(key: str, context: KedroContext) -> Explanation:
    """The newest prediction of the key, explained."""
    prediction = predictions_of(key, context.catalog.load("ml_predictions"))[0]
    champions = champions_of(context)
    model = model_of(prediction, champions)
    with read_again(f"what is known of {key}"):
        features = table_of(context, "gold_features").load_version(prediction.features_version)
        row = features_of(key, features, model.feature_names)
        seen = recorded_silver(context, prediction.run_id).silver
        lines = lines_about(key, USE_CASE, silver_of(context, USE_CASE.spine.named_in), seen)
    return explain(
        prediction,
        lines,
        row,
        model.model,
        champions.golden_rows[prediction.model_digest],
        context.params["random_seed"],
    )


def model_of(prediction: StoredPrediction, champions: Champions) -> Champion:
    """The version that made the prediction."""
    return champions.registry.load(ModelReference(prediction.model_version, prediction.model_digest))


def explanation_page(found: Explanation) -> RenderableType:
    """The explanation for a terminal."""
    one = found.prediction
    same = "the same" if found.is_same else "NOT the same"
    head = (
        f"{one.key}, asked at {one.predict_at:%Y-%m-%d %H:%M} UTC\n"
        f"score {one.score:.6f} ({same} when made again), threshold {one.threshold:.4f}: "
        f"{'late' if one.decision else 'on time'}; version {one.model_version}, {one.role}\n"
    )
    return Group(head, _lines_table(found), _parts_table(found), _others(found))


def _lines_table(found: Explanation) -> Table:
    table = Table(title="Landed lines", title_justify="left", box=SIMPLE, pad_edge=False)
    for header in ("published (UTC)", "known", "file", "line", "record"):
        table.add_column(header)
    for line in found.lines:
        known = "yes" if found.was_known(line) else "later" if line.was_there else "no, came later"
        table.add_row(f"{line.published_at:%m-%d %H:%M}", known, line.file, str(line.line_no), line.text)
    return table


def _parts_table(found: Explanation) -> Table:
    title = f"Features: {found.usual:.4f} is usual, and each adds its part"
    table = Table(title=title, title_justify="left", box=SIMPLE, pad_edge=False)
    for header, side in (("feature", "left"), ("value", "right"), ("part", "right")):
        table.add_column(header, justify=side, no_wrap=True)  # type: ignore[arg-type]
    for name, part in found.parts.head(MOST_PARTS).items():
        table.add_row(str(name), _shown(found.features[str(name)]), f"{part:+.4f}")
    table.add_row(f"{len(_rest(found))} others, below", "", f"{_rest(found).sum():+.4f}")
    table.add_row("score", "", f"{found.recomputed:.4f}")
    return table


def _rest(found: Explanation) -> "pd.Series[float]":
    return found.parts.iloc[MOST_PARTS:]


def _others(found: Explanation) -> str:
    """The smaller parts, one after the other."""
    return ", ".join(
        f"{name} {_shown(found.features[str(name)])}: {part:+.4f}" for name, part in _rest(found).items()
    )


def _shown(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


@click.command()
@click.option("--version", required=True, help="Version of the model.")
@ENVIRONMENT
@click.pass_obj
def rebuild(metadata: ProjectMetadata, env: str | None, version: str) -> None:
    """Make a version again from silver as it was, and compare the two models' predictions."""
    with opened(metadata.project_path, env) as (_, context):
        champions = champions_of(context)
        decision = decision_on(version, champions.ledger.state())
        trained, role = trained_for(decision), str(decision.elected)
        refuse_copy(version, trained)
        registered = champions.registry.load(ModelReference(version, str(decision.model_digest)))
        recorded = recorded_silver(context, trained["run_id"])
        with read_again(f"version {version}"):
            rows = training_rows(trained, USE_CASE, recorded.silver)
        check_features(rows.columns, registered.feature_names, f"version {version}")
        found = compared(trained, role, registered.model, rows, USE_CASE)
    for cause in found.causes:
        console().print(f"not as it was: {cause}")
    told = (
        f"{found.rows:,} rows, {found.recorded_rows:,} recorded; predictions differ by {found.difference:.3g}"
    )
    if not found.is_equal:
        told = "; ".join([told, *recorded.doubts])
        raise click.ClickException(f"version {version} is another model when made again: {told}")
    console().print(f"version {version} is the same model when made again: {told}")
