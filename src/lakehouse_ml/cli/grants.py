"""``kedro grants``: the matrix of roles as statements, or as parts of the bundle."""

from collections.abc import Sequence

import click
import yaml
from kedro.framework.cli.utils import env_option
from kedro.framework.startup import ProjectMetadata

from lakehouse_ml.cli.opened import conf_of
from lakehouse_ml.deploy.grants import (
    bundle_access,
    grant_statements,
    ledger_statements,
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
    help="sql: GRANT, mask and tag statements of Unity Catalog; yaml: grants, permissions and run_as of the bundle, "
    "and the permissions of the serving endpoint, which are given by hand.",
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
    click.echo("\n".join(_in_order(roles, environment)))
    unknown = unknown_principals(roles)
    if unknown and environment not in roles.personal:
        click.echo(
            f"Not to be applied yet: application_ids of conf/{environment}/roles.yml lacks {', '.join(unknown)}",
            err=True,
        )


def _in_order(roles: Roles, environment: str) -> list[str]:
    """The statements under a comment each that tells when their objects are there."""
    granted = grant_statements(roles, environment)
    tables = [statement for statement in granted if " ON TABLE " in statement]
    catalog = [statement for statement in granted if " ON CATALOG " in statement]
    between = [statement for statement in granted if statement not in {*tables, *catalog}]
    own = [*privacy_statements(roles, environment, CONTRACTS), *ledger_statements(roles, environment)]
    return [
        *_part("Before the first deployment.", catalog),
        *_part("After the deployment, which gives the same but for what other environments get.", between),
        *_part(
            "After the first tasks of daily and before retrain; again when all tables are there.",
            [*tables, *own],
        ),
    ]


def _part(when: str, statements: Sequence[str]) -> list[str]:
    return [f"-- {when}", *statements]
