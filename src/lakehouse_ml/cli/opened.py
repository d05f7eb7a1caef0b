"""The project's catalog for commands that are no runs."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click
from kedro.config import OmegaConfigLoader
from kedro.framework.context import KedroContext
from kedro.framework.project import settings
from kedro.framework.session import KedroSession
from kedro.io import DatasetError

from lakehouse_ml.conf_source import ConfSourceError, check_environment
from lakehouse_ml.deploy.roles import RolesError
from lakehouse_ml.hooks.session import RunLockedError, lock_folder, take_lock
from lakehouse_ml.ledger import LedgerError
from lakehouse_ml.model_files import RegistryError
from lakehouse_ml.serving_endpoint import EndpointError
from lakehouse_ml.trace.entity import TraceError
from lakehouse_ml.version_copy import CopyError

NAME_THE_WAY_OUT = (
    *(ConfSourceError, RolesError, RunLockedError),
    *(LedgerError, RegistryError, DatasetError, TraceError, CopyError, EndpointError),
)


def conf_of(project_path: Path, env: str | None) -> OmegaConfigLoader:
    """The configuration of an environment, for commands that need nothing else.

    Args:
        project_path: Root of the project.
        env: Name of the environment; None takes Kedro's default.

    Raises:
        click.ClickException: No such environment.
    """
    options = settings.CONFIG_LOADER_ARGS
    conf = project_path / settings.CONF_SOURCE
    env = env or options["default_run_env"]
    with told():
        check_environment(conf, env)
    return OmegaConfigLoader(str(conf), env=env, **options)


@contextmanager
def opened(
    project_path: Path | None, env: str | None, conf_source: str | None = None
) -> Iterator[tuple[KedroSession, KedroContext]]:
    """A session of the environment with its context; what goes wrong is told in one sentence.

    Args:
        project_path: Root of the project; None: looked for from the working directory upwards, as a run does.
        env: Name of the environment; None takes Kedro's default.
        conf_source: Folder or archive of the configuration; None: the project's.
    """
    session = KedroSession.create(project_path, env=env, conf_source=conf_source)
    with session, told():
        yield session, session.load_context()


@contextmanager
def opened_to_write(env: str | None, conf_source: str | None) -> Iterator[KedroContext]:
    """The context of an environment that no run is at work in, until the end.

    No project is asked for: the installed package has none, and names its configuration.
    """
    with opened(None, env, conf_source) as (_, context), locked(context):
        yield context


@contextmanager
def locked(context: KedroContext) -> Iterator[None]:
    """No run but our own is at work in the environment until the end."""
    lock = take_lock(lock_folder(context.config_loader["globals"]))
    try:
        yield
    finally:
        lock.release()


@contextmanager
def told() -> Iterator[None]:
    """Errors that name their way out, without a stack trace."""
    try:
        yield
    except NAME_THE_WAY_OUT as error:
        raise click.ClickException(str(error)) from error
