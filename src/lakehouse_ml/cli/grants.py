"""``kedro grants``: the matrix of roles as statements, or as parts of the bundle."""

import click
import yaml
from kedro.framework.cli.utils import env_option
from kedro.framework.startup import ProjectMetadata

from lakehouse_ml.cli.opened import conf_of
from lakehouse_ml.deploy.grants import (
    bundle_access,
    grant_statements,
    privacy_statements,
    unknown_principals,
)
from lakehouse_ml.deploy.roles import Roles
from lakehouse_ml.flights import CONTRACTS


@click.command()
@click.option(
    "--format",
    "form",
    type=click.Choice(["sql", "yaml"]),
    default="sql",
    show_default=True,
    help="sql: GRANT, mask and tag statements of Unity Catalog; yaml: grants, permissions and run_as of the bundle.",
)
@env_option(envvar="KEDRO_ENV", help="Environment whose rights are shown. Default: the project's.")
@click.pass_obj
def grants(metadata: ProjectMetadata, env: str | None, form: str) -> None:
    """Show who may do what in an environment; nothing is applied."""
    loader = conf_of(metadata.project_path, env)
    roles, environment = Roles.model_validate(loader["roles"]), str(loader.env)
    if form == "yaml":
        click.echo(yaml.safe_dump(bundle_access(roles, environment), sort_keys=False), nl=False)
        return
    statements = (
        *grant_statements(roles, environment),
        *privacy_statements(roles, environment, CONTRACTS),
    )
    click.echo("\n".join(statements))
    unknown = unknown_principals(roles)
    if unknown and environment not in roles.personal:
        click.echo(
            f"Not to be applied yet: application_ids of conf/{environment}/roles.yml lacks {', '.join(unknown)}",
            err=True,
        )
