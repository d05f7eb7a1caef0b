"""The project's own commands beside Kedro's."""

import click

from lakehouse_ml.cli.champions import approve, ledger, rollback
from lakehouse_ml.cli.landing import land, landing_folder
from lakehouse_ml.cli.layers import refresh

__all__ = ["cli", "landing_folder"]


@click.group(name="lakehouse_ml")
def cli() -> None:
    """Commands of this project."""


for command in (land, refresh, approve, rollback, ledger):
    cli.add_command(command)
