"""``kedro refresh``: a layer built again; and the same as a job's first step."""

from collections.abc import Iterator
from datetime import datetime

import click
from kedro.framework.cli.utils import env_option
from kedro.framework.context import KedroContext
from kedro.framework.startup import ProjectMetadata

from lakehouse_ml.cli.landing import INSTANT, utc
from lakehouse_ml.cli.opened import locked, opened
from lakehouse_ml.datasets import DeltaTable
from lakehouse_ml.datasets.delta_table import REFRESH
from lakehouse_ml.datasets.lakehouse import Lakehouse
from lakehouse_ml.datasets.refresh import LAYERS, forget
from lakehouse_ml.flights import CONTRACTS

REPLAY = "replay_quarantine"


@click.command()
@click.option(
    "--layer", type=click.Choice(LAYERS), required=True, help="What is built again, with all that follows."
)
@click.option(
    "--from",
    "since",
    type=INSTANT,
    metavar="TIME",
    help="UTC; gold only. The tables stay; what runs with a later now took in is taken in again, and every day that "
    "it reaches is built again.",
)
@env_option(envvar="KEDRO_ENV", help="Environment whose tables are built again. Default: the project's.")
@click.pass_obj
def refresh(metadata: ProjectMetadata, env: str | None, layer: str, since: datetime | None) -> None:
    """Build a layer again from the one before it, e.g. after a contract changed."""
    if since is not None and layer != "gold":
        raise click.ClickException("--from goes with --layer gold: silver is built again from all of bronze")
    with opened(metadata.project_path, env) as (session, context), locked(context):
        _forget(context, layer, since)
        session.run(pipeline_names=["ingestion", "feature_engineering"])


def mend(what: str, env: str, conf_source: str) -> None:
    """Do what a person asked a run to begin with; its own stages build the rest again.

    Only the job that writes a layer may mend it: on a platform no lock keeps two jobs apart.

    Args:
        what: ``replay_quarantine``; or the layer that is forgotten, ``gold`` also from a time on: ``gold:2013-10-01``.
        env: Name of the environment.
        conf_source: Folder or archive of the configuration.

    Raises:
        click.ClickException: It is none of these.
    """
    layer, _, since = what.partition(":")
    if what != REPLAY and (layer not in LAYERS or (since and layer != "gold")):
        raise click.ClickException(f"mend: must be {REPLAY}, silver, gold or gold:<time>, is {what!r}")
    moment = INSTANT.convert(since, None, None) if since else None
    with opened(None, env, conf_source) as (session, context), locked(context):
        if what == REPLAY:
            session.run(pipeline_names=[REPLAY])
        else:
            _forget(context, layer, moment)


def _forget(context: KedroContext, layer: str, since: datetime | None) -> None:
    values = context.config_loader["globals"]
    lakehouse = Lakehouse(values["catalog"], values["storage_root"], values["platform"])
    forget(lakehouse, layer, _tables(context), utc(since))


def _tables(context: KedroContext) -> Iterator[DeltaTable]:
    """Every table that can be built again, under the name in the catalog that it is written by."""
    for name in CONTRACTS:
        if name.split(".", 1)[0] in REFRESH:
            table = context.catalog[name.replace(".", "_")]
            assert isinstance(table, DeltaTable)
            yield table
