"""A release: what was built once and tested, in a folder of its own, with a manifest that nothing may differ from."""

import hashlib
import shutil
import subprocess
import tarfile
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath
from xml.etree import ElementTree

from pydantic import BaseModel, ConfigDict, ValidationError

from lakehouse_ml.conf_source import PERSONAL, ConfSourceError, files_of, refuse_credentials
from lakehouse_ml.pipelines.training.provenance import STAMP

MANIFEST = "manifest.json"
FOLDER = "releases"
_REPORTS = "tests"
# Written into the wheel by `kedro package`.
_STAMP = f"lakehouse_ml/{STAMP.name}"
# Beside wheel and archive; each pattern must find something.
_ALONG = (
    "requirements/job.txt",
    "deploy/*/databricks.yml",
    "deploy/*/requirements.txt",
    "deploy/*/resources/*.yml",
)


class ReleaseError(RuntimeError):
    """The release cannot be made, or is not the one that was made; the message names every file."""


class Outcome(BaseModel):
    """What the test reports say.

    Attributes:
        tests: Tests that ran.
        failed: Tests that failed, or could not run.
        skipped: Tests that were left out.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    tests: int
    failed: int
    skipped: int


class Manifest(BaseModel):
    """What a release is.

    Attributes:
        release: Name: version and the commit's first characters.
        commit: Git commit of everything in it.
        committed_at: When it was committed (ISO 8601).
        tests: What its test reports say.
        files: SHA-256 by path.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    release: str
    commit: str
    committed_at: str
    tests: Outcome
    files: Mapping[str, str]


def make_release(project: Path, reports: Sequence[Path]) -> tuple[Path, str]:
    """Put what ``kedro package`` built beside what the job and the bundle need, with a manifest.

    Args:
        project: Root of the project, a git checkout.
        reports: JUnit reports of the tests of this commit.

    Returns:
        The release's folder, and the SHA-256 of its manifest.

    Raises:
        ReleaseError: The tree differs from the commit, what was built differs from the tree, a file is missing, a test
            failed, or the release exists.
    """
    commit = clean_commit(project)
    wheel, archive = built(project)
    _refuse(wheel_faults(project, wheel) + archive_faults(project, archive), "is not built from this commit")
    outcome = outcome_of(reports)
    release = f"{wheel.name.split('-')[1]}-{commit[:12]}"
    folder = project / FOLDER / release
    if folder.exists():
        raise ReleaseError(f"{folder} exists: a release is never made twice, and jobs may run on it")
    sources = {_within(project, path): path for path in (wheel, archive, *_along(project))}
    sources |= {f"{_REPORTS}/{path.name}": path for path in reports}
    manifest = Manifest(
        release=release,
        commit=commit,
        committed_at=_git(project, "show", "--no-patch", "--format=%cI", commit),
        tests=outcome,
        files={name: sha256(sources[name]) for name in sorted(sources)},
    )
    _write(folder, sources, manifest)
    verify_release(folder)
    return folder, sha256(folder / MANIFEST)


def verify_release(folder: Path, digest: str | None = None, commit: str | None = None) -> Manifest:
    """Make sure that a folder is the release that its manifest tells of, and nothing besides.

    Args:
        folder: The release.
        digest: SHA-256 of the manifest, as told when the release was made; None: the manifest is believed.
        commit: Git commit that it must be of; None: any.

    Raises:
        ReleaseError: Naming every file that is changed, missing or additional, or the manifest.
    """
    path = folder / MANIFEST
    if not path.is_file():
        raise ReleaseError(f"{folder} is no release: it has no {MANIFEST}")
    if digest is not None and sha256(path) != digest:
        raise ReleaseError(
            f"{path} is not the manifest that was made: its SHA-256 is {sha256(path)}, not {digest}"
        )
    try:
        manifest = Manifest.model_validate_json(path.read_text())
    except (ValidationError, UnicodeDecodeError) as error:
        raise ReleaseError(f"{path} is no manifest: {error}") from error
    if commit not in (None, manifest.commit):
        raise ReleaseError(f"{folder} is a release of commit {manifest.commit}, not of {commit}")
    _refuse([*_differences(folder, manifest)], f"is not release {manifest.release}")
    return manifest


def _differences(folder: Path, manifest: Manifest) -> Iterator[str]:
    found = {_within(folder, path) for path in folder.rglob("*") if path.is_file() or path.is_symlink()}
    for name in sorted(found | set(manifest.files)):
        if name not in found:
            yield f"{name} is missing"
        elif name not in manifest.files and name != MANIFEST:
            yield f"{name} is additional"
        elif (folder / name).is_symlink() or (
            name != MANIFEST and sha256(folder / name) != manifest.files[name]
        ):
            yield f"{name} is changed"


def clean_commit(project: Path) -> str:
    """The commit that the tree is.

    Raises:
        ReleaseError: It is no git checkout, or differs from its commit; naming the files.
    """
    changed = _git(project, "status", "--porcelain")
    if changed:
        raise ReleaseError(
            f"the tree is not the commit's, so no release of it can be made; commit or remove: "
            f"{', '.join(line.strip() for line in changed.splitlines())}"
        )
    return _git(project, "rev-parse", "HEAD")


def built(project: Path) -> tuple[Path, Path]:
    """Wheel and archive of the configuration in ``dist/``.

    Raises:
        ReleaseError: There is none of them, or more than one.
    """
    return _only(project, "dist/*.whl"), _only(project, "dist/conf-*.tar.gz")


def wheel_faults(project: Path, wheel: Path) -> list[str]:
    """How the modules of a wheel, and the commit that it says it is of, differ from the commit's."""
    with zipfile.ZipFile(wheel) as packed:
        members = {name: packed.read(name) for name in packed.namelist() if ".dist-info/" not in name}
    stamp = members.pop(_STAMP, b"nothing").decode().strip()
    commit = _git(project, "rev-parse", "HEAD")
    told = [] if stamp == commit else [f"{_STAMP} tells {stamp}, the commit is {commit}"]
    tracked = {
        str(PurePosixPath(name).relative_to("src")): path for name, path in _tracked(project, "src").items()
    }
    return told + _compared(members, tracked)


def archive_faults(project: Path, archive: Path) -> list[str]:
    """How the files of an archive differ from the commit's configuration, but for personal settings.

    Raises:
        ReleaseError: It carries credentials.
    """
    try:
        refuse_credentials(files_of(archive), archive.name)
    except ConfSourceError as error:
        raise ReleaseError(str(error)) from error
    with tarfile.open(archive) as packed:
        opened = {member.name: packed.extractfile(member) for member in packed if member.isfile()}
        members = {name: file.read() for name, file in opened.items() if file and not _is_personal(name)}
    tracked = {name: path for name, path in _tracked(project, "conf").items() if not _is_personal(name)}
    return _compared(members, tracked)


def outcome_of(reports: Sequence[Path]) -> Outcome:
    """What JUnit reports say, together.

    Raises:
        ReleaseError: There is none, one is missing or cannot be read, two have one name, a test failed, or none ran.
    """
    if not reports:
        raise ReleaseError(
            "a release needs the reports of its tests: `make test loops` writes them to build/tests"
        )
    names = [report.name for report in reports]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise ReleaseError(f"{', '.join(twice)}: a release keeps one report of a name; name each differently")
    suites = [suite.attrib for report in reports for suite in _suites(report)]
    keys = ("tests", "failures", "errors", "skipped")
    tests, failures, errors, skipped = (sum(int(suite.get(key, 0)) for suite in suites) for key in keys)
    # A report counts the skipped ones among its tests.
    ran, failed = tests - skipped, failures + errors
    if failed or not ran:
        told = f"{ran} tests ran, {failed} of them failed, {skipped} were skipped"
        raise ReleaseError(f"{', '.join(map(str, reports))}: {told}")
    return Outcome(tests=ran, failed=failed, skipped=skipped)


def sha256(path: Path) -> str:
    """SHA-256 of a file's content."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _suites(report: Path) -> list[ElementTree.Element]:
    if not report.is_file():
        raise ReleaseError(f"{report} is missing: run the tests that write it")
    try:
        return list(ElementTree.parse(report).iter("testsuite"))
    except ElementTree.ParseError as error:
        raise ReleaseError(f"{report} is no JUnit report: {error}") from error


def _along(project: Path) -> Iterator[Path]:
    for pattern in _ALONG:
        found = sorted(project.glob(pattern))
        if not found:
            raise ReleaseError(
                f"{pattern} is missing from {project}: `kedro bundle` and `make pins` write it"
            )
        yield from found


def _only(project: Path, pattern: str) -> Path:
    found = sorted(project.glob(pattern))
    if len(found) != 1:
        names = ", ".join(path.name for path in found) or "nothing"
        raise ReleaseError(f"{pattern}: must be one file, is {names}; empty dist/ and run `kedro package`")
    return found[0]


def _compared(members: Mapping[str, bytes], tracked: Mapping[str, Path]) -> list[str]:
    faults = [f"{name} is missing" for name in sorted(tracked.keys() - members.keys())]
    faults += [f"{name} is additional" for name in sorted(members.keys() - tracked.keys())]
    same = sorted(members.keys() & tracked.keys())
    return faults + [f"{name} is changed" for name in same if members[name] != tracked[name].read_bytes()]


def _is_personal(name: str) -> bool:
    return PurePosixPath(name).parts[1:2] == (PERSONAL,)


def _tracked(project: Path, folder: str) -> dict[str, Path]:
    names = _git(project, "ls-files", "-z", "--", folder).split("\0")
    return {name: project / name for name in names if name}


def _write(folder: Path, sources: Mapping[str, Path], manifest: Manifest) -> None:
    # Under its own name a release is whole, whenever this is killed.
    half = folder.with_name(f"{folder.name}.half")
    shutil.rmtree(half, ignore_errors=True)
    for name, path in sources.items():
        (half / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(path, half / name)
    (half / MANIFEST).write_text(manifest.model_dump_json(indent=2) + "\n")
    half.rename(folder)


def _within(folder: Path, path: Path) -> str:
    return path.relative_to(folder).as_posix()


def _refuse(faults: Sequence[str], what: str) -> None:
    if faults:
        raise ReleaseError(f"this {what}: {'; '.join(faults)}")


def _git(project: Path, *arguments: str) -> str:
    done = subprocess.run(["git", *arguments], cwd=project, capture_output=True, text=True, check=False)
    if done.returncode:
        raise ReleaseError(f"git {' '.join(arguments)} in {project}: {done.stderr.strip()}")
    return done.stdout.rstrip("\n")
