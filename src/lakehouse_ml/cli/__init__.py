"""The project's own commands beside Kedro's."""

import click

from lakehouse_ml.cli.bundle import bundle
from lakehouse_ml.cli.champions import approve, ledger, promote, rollback
from lakehouse_ml.cli.grants import grants
from lakehouse_ml.cli.landing import land, landing_folder
from lakehouse_ml.cli.layers import refresh
from lakehouse_ml.cli.packaging import package
from lakehouse_ml.cli.releases import release
from lakehouse_ml.cli.replaying import replay
from lakehouse_ml.cli.retraining import retrain
from lakehouse_ml.cli.serving import serve
from lakehouse_ml.cli.skew import skew
from lakehouse_ml.cli.trace import explain_flight, lineage, rebuild

__all__ = ["cli", "landing_folder"]


@click.group(name="lakehouse_ml")
def cli() -> None:
    """Commands of this project."""


for command in (
    *(land, refresh, retrain, replay, approve, rollback, promote, ledger),
    *(lineage, explain_flight, rebuild, skew, serve),
    *(bundle, grants, package, release),
):
    cli.add_command(command)
