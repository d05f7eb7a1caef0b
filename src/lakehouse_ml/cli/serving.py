"""``kedro serve``: real-time scoring."""

import os

import click
from kedro.framework.cli.utils import env_option
from kedro.framework.startup import ProjectMetadata

from lakehouse_ml.cli.landing import landing_folder
from lakehouse_ml.cli.opened import opened
from lakehouse_ml.flights import USE_CASE
from lakehouse_ml.hooks.progress import console
from lakehouse_ml.platform import platform
from lakehouse_ml.serving.params import ServingParams
from lakehouse_ml.serving.server import serve as serve_until_stopped
from lakehouse_ml.serving.versions import Served, Versions


@click.command()
@click.option(
    "--canary",
    type=click.FloatRange(0, 100),
    default=0.0,
    metavar="PERCENT",
    help="Share of the keys that the challenger scores; the same keys every time.",
)
@click.option(
    "--challenger",
    metavar="VERSION",
    help="Version of the canary; see `kedro ledger show` for what became of it.",
)
@click.option("--port", type=int, help="Default: serving.port.")
@env_option(envvar="KEDRO_ENV", help="Environment whose champion scores. Default: the project's.")
@click.pass_obj
def serve(
    metadata: ProjectMetadata, env: str | None, canary: float, challenger: str | None, port: int | None
) -> None:
    """Answer scoring requests over HTTP until it is told to stop."""
    if challenger and not canary:
        raise click.ClickException("--challenger goes with --canary: name the share of its keys")
    if platform() == "databricks":
        raise click.ClickException(
            "the server appends to its request log, which a Volume cannot: on Databricks, Model Serving serves a "
            "version, by the endpoint that promotion keeps at the champion"
        )
    # A registry's file that was put back is another one: a connection that is kept goes on reading the old one.
    os.environ.setdefault("MLFLOW_SQLALCHEMYSTORE_POOLCLASS", "NullPool")
    with opened(metadata.project_path, env) as (_, context):
        given = context.params["serving"]
        params = ServingParams(**given | ({} if port is None else {"port": port}))
        registry = context.catalog.load("model_registry")
        versions = Versions(registry, USE_CASE.feature_names, canary, challenger)
        console().print(_told(versions.served, params))
        serve_until_stopped(USE_CASE, versions, landing_folder(metadata.project_path, env), params)


def _told(served: Served, params: ServingParams) -> str:
    canary = (
        served.challenger and f", {served.percent:g} % of the keys by version {served.challenger.version}"
    )
    return f"Scoring by version {served.champion.version}{canary or ''} at http://{params.host}:{params.port}"
