"""``kedro bundle``: the files that a deployment to the platform is made of."""

import os
from collections.abc import Iterable
from pathlib import Path

import click
import yaml
from kedro.config import OmegaConfigLoader
from kedro.framework.project import pipelines
from kedro.framework.startup import ProjectMetadata
from kedro.io import DataCatalog, MemoryDataset
from pydantic import ValidationError

from lakehouse_ml.cli.opened import conf_of
from lakehouse_ml.datasets import DeltaTable, RunLog, TableMaintenance
from lakehouse_ml.deploy.bundle import Files, Project, bundle_files, write_bundle
from lakehouse_ml.deploy.graph import IsPersisted, Writes
from lakehouse_ml.deploy.resolve import resolve
from lakehouse_ml.deploy.roles import Roles
from lakehouse_ml.deploy.values import BundleError, Values
from lakehouse_ml.flights import CONTRACTS

CLOUDS = ("aws", "azure")
GIVEN = "BUNDLE_VAR_"


@click.command()
@click.option("--cloud", type=click.Choice(CLOUDS), help="Default: all of them.")
@click.option(
    "--show", "target", metavar="TARGET", help="Print what a target is deployed with; write nothing."
)
@click.option("--var", "variables", multiple=True, metavar="NAME=VALUE", help="A variable of the target.")
@click.pass_obj
def bundle(
    metadata: ProjectMetadata, cloud: str | None, target: str | None, variables: tuple[str, ...]
) -> None:
    """Write deploy/<cloud>: databricks.yml, resources and requirements."""
    try:
        project = read_project(metadata.project_path)
        made = {name: bundle_files(project, name) for name in ((cloud,) if cloud else CLOUDS)}
        shown = None if target is None else _resolved(made, target, variables)
    except (BundleError, ValidationError) as error:
        raise click.ClickException(str(error)) from error
    if shown is not None:
        click.echo(yaml.safe_dump(shown, sort_keys=False), nl=False)
        return
    for name, files in made.items():
        write_bundle(files, metadata.project_path / "deploy" / name)
        click.echo(f"deploy/{name}: {len(files)} files")


def _resolved(made: dict[str, Files], target: str, variables: tuple[str, ...]) -> dict[str, object]:
    if len(made) > 1:
        raise BundleError("--show: name one --cloud")
    pairs = dict(variable.partition("=")[::2] for variable in variables)
    known = {name.removeprefix(GIVEN): value for name, value in os.environ.items() if name.startswith(GIVEN)}
    return resolve(next(iter(made.values())), target, {**known, **pairs})


def read_project(project_path: Path) -> Project:
    """What the bundle is made of, as it stands in the project.

    Raises:
        ValidationError: A value that does not fit.
    """
    loader = conf_of(project_path, None)
    conf = Path(loader.conf_source)
    return Project(
        # As it is: its references are the bundle's, not the configuration's.
        values=Values.model_validate(yaml.safe_load((conf / "base/bundle.yml").read_text())),
        roles=Roles.model_validate(loader["roles"]),
        pipelines=dict(pipelines),
        is_persisted=is_persisted_in(loader),
        writes=writes_in(loader),
        pins=(project_path / "requirements/job.txt").read_text(),
    )


def is_persisted_in(loader: OmegaConfigLoader) -> IsPersisted:
    """Whether a dataset of that name outlives its process."""
    catalog = DataCatalog.from_config(loader["catalog"])
    return lambda name: name in catalog and not isinstance(catalog.get(name), MemoryDataset)


def writes_in(loader: OmegaConfigLoader) -> Writes:
    """Tables that saving a dataset of that name changes."""
    catalog = DataCatalog.from_config(loader["catalog"])
    return lambda name: frozenset(_written(name, catalog.get(name)))


def _written(name: str, dataset: object) -> Iterable[str]:
    if isinstance(dataset, TableMaintenance):
        return CONTRACTS
    table = dataset.runs if isinstance(dataset, RunLog) else dataset
    return [table.table if isinstance(table, DeltaTable) else name]
