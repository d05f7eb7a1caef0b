"""``kedro release``: what was built once, under a manifest; ``kedro release verify`` before it is deployed."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click
from kedro.framework.startup import ProjectMetadata

from lakehouse_ml.deploy.release import MANIFEST, ReleaseError, make_release, verify_release

_FILE = click.Path(path_type=Path, resolve_path=True)


@click.group(invoke_without_command=True)
@click.option(
    "--tests",
    multiple=True,
    type=_FILE,
    metavar="FILE",
    help="JUnit report of this commit's tests; several times.",
)
@click.pass_context
def release(context: click.Context, tests: tuple[Path, ...]) -> None:
    """Put wheel, configuration, pins, bundle and test reports into a folder of this commit, with a manifest."""
    if context.invoked_subcommand is not None:
        return
    metadata: ProjectMetadata = context.obj
    with _told():
        folder, digest = make_release(metadata.project_path, tests)
    click.echo(f"Release {folder.name}: {folder}")
    click.echo(f"{digest}  {MANIFEST}")


@release.command()
@click.argument("folder", type=_FILE)
@click.option("--digest", metavar="SHA256", help="Of the manifest, as `kedro release` told it.")
@click.option("--commit", metavar="SHA", help="Git commit that it must be of.")
def verify(folder: Path, digest: str | None, commit: str | None) -> None:
    """Refuse a release with a file that is changed, missing or additional."""
    with _told():
        manifest = verify_release(folder, digest, commit)
    click.echo(
        f"Release {manifest.release} is whole: {len(manifest.files)} files of commit {manifest.commit}"
    )


@contextmanager
def _told() -> Iterator[None]:
    try:
        yield
    except ReleaseError as error:
        raise click.ClickException(str(error)) from error
