"""``kedro refresh``: a layer built again."""

from datetime import datetime

import click
from kedro.framework.cli.utils import env_option
from kedro.framework.startup import ProjectMetadata

from lakehouse_ml.cli.landing import INSTANT, utc
from lakehouse_ml.cli.opened import locked, opened
from lakehouse_ml.datasets.lakehouse import Lakehouse
from lakehouse_ml.datasets.refresh import LAYERS, forget
from lakehouse_ml.flights import CONTRACTS


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
        values = context.config_loader["globals"]
        lakehouse = Lakehouse(values["catalog"], values["storage_root"], values["platform"])
        forget(lakehouse, layer, tuple(CONTRACTS), utc(since))
        session.run(pipeline_names=["ingestion", "feature_engineering"])
