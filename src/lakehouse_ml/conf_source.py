"""Where a run's configuration comes from: a folder, or the archive that ``kedro package`` makes of one."""

import tarfile
from collections.abc import Iterable
from fnmatch import fnmatch
from pathlib import Path, PurePosixPath

BASE, PERSONAL = "base", "local"


class ConfSourceError(ValueError):
    """The configuration cannot be run with; the message names it and the way out."""


def check_conf_source(conf_source: str | None, env: str | None) -> None:
    """Make sure that a run finds its own environment's configuration, and no secret with it.

    Args:
        conf_source: As given. What is relative depends on a working directory that a job does not choose.
        env: As given. Kedro would take a default for a missing one, and base's values for an unknown one.

    Raises:
        ConfSourceError: It is relative or not there, has no such environment, or is an archive with credentials.
    """
    if conf_source is None or not Path(conf_source).is_absolute():
        raise ConfSourceError(
            f"--conf-source: must be an absolute path, is {conf_source!r}: name the folder or archive of the "
            f"configuration from the root"
        )
    check_environment(Path(conf_source), env)
    if not Path(conf_source).is_dir():
        refuse_credentials(files_of(Path(conf_source)), conf_source)


def check_environment(conf_source: Path, env: str | None) -> None:
    """Make sure that an environment has values of its own: Kedro would take base's, which are another one's.

    Raises:
        ConfSourceError: There is no such environment; the message names those that exist.
    """
    known = environments(files_of(conf_source))
    if env not in known:
        raise ConfSourceError(f"no environment {env!r} in {conf_source}; choose one of {', '.join(known)}")


def files_of(conf_source: Path) -> list[PurePosixPath]:
    """Files of a configuration folder or archive, relative to it.

    Raises:
        ConfSourceError: It is not there, or is neither folder nor tar archive.
    """
    if conf_source.is_dir():
        found = sorted(path for path in conf_source.rglob("*") if path.is_file())
        return [PurePosixPath(path.relative_to(conf_source).as_posix()) for path in found]
    if not conf_source.is_file() or not tarfile.is_tarfile(conf_source):
        raise ConfSourceError(
            f"--conf-source: {conf_source} is no folder and no tar archive: `kedro package` makes one"
        )
    with tarfile.open(conf_source) as archive:
        members = [PurePosixPath(member.name) for member in archive if not member.isdir()]
    return sorted(PurePosixPath(*member.parts[1:]) for member in members)


def environments(files: Iterable[PurePosixPath]) -> list[str]:
    """Names of the environments: folders with ``globals.yml``, but for the one that all share."""
    return sorted(
        {file.parts[0] for file in files if len(file.parts) == 2 and file.name == "globals.yml"} - {BASE}
    )


def refuse_credentials(files: Iterable[PurePosixPath], name: str) -> None:
    """Make sure that no file of these holds credentials.

    Args:
        files: Relative to the configuration.
        name: Of the configuration.

    Raises:
        ConfSourceError: Naming the files.
    """
    found = [str(file) for file in files if _is_credentials(file)]
    if found:
        raise ConfSourceError(
            f"{name} would carry secrets in {', '.join(found)}: keep them in conf/{PERSONAL}/*.yml, which is never "
            f"packed, or in a secret scope, and pack again"
        )


def _is_credentials(file: PurePosixPath) -> bool:
    """Kedro's own pattern and ours for them, and all that stands in the folder of personal settings."""
    named = any(fnmatch(part.lower(), name) for part in file.parts for name in ("credentials*", "secrets*"))
    return named or (file.parts[0] == PERSONAL and file.name != ".gitkeep")
