"""``kedro package``: Kedro's own, once nothing secret would go into the archive of the configuration."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click
from kedro.framework.cli.project import package as kedro_package
from kedro.framework.project import settings
from kedro.framework.startup import ProjectMetadata

from lakehouse_ml.conf_source import PERSONAL, ConfSourceError, files_of, refuse_credentials
from lakehouse_ml.pipelines.training.provenance import STAMP, UNKNOWN, code_of


@click.command()
@click.pass_context
def package(context: click.Context) -> None:
    """Build the wheel and the archive of the configuration into dist/; refuses to pack credentials."""
    metadata: ProjectMetadata = context.obj
    conf = metadata.project_path / settings.CONF_SOURCE
    try:
        refuse_packed_credentials(conf)
    except ConfSourceError as error:
        raise click.ClickException(str(error)) from error
    with stamped(metadata.source_dir / metadata.package_name):
        context.invoke(kedro_package)


@contextmanager
def stamped(package: Path) -> Iterator[None]:
    """The package with the name of its commit beside its modules, for the wheel; without git there is none."""
    stamp, code = package / STAMP.name, code_of(package)
    if code.commit != UNKNOWN:
        stamp.write_text(f"{code.name}\n")
    try:
        yield
    finally:
        stamp.unlink(missing_ok=True)


def refuse_packed_credentials(conf: Path) -> None:
    """Make sure that Kedro's archive of a configuration folder would hold no credentials.

    Raises:
        ConfSourceError: Naming the files.
    """
    # What Kedro leaves out; personal settings of any other form it packs.
    kept = [file for file in files_of(conf) if not (file.parts[0] == PERSONAL and file.suffix == ".yml")]
    refuse_credentials(kept, f"The archive of {conf}")
