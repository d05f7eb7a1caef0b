"""A release is what was built once, and nothing else: made for real from a checkout of this project."""

import json
import shutil
import tarfile
import zipfile
from pathlib import Path

import pytest
from click.testing import CliRunner
from kedro.framework.startup import bootstrap_project

from deploy_builders import BUNDLE, PLANTED, git, stamp_anew
from lakehouse_ml.cli import cli
from lakehouse_ml.deploy.release import (
    MANIFEST,
    Outcome,
    ReleaseError,
    archive_faults,
    built,
    make_release,
    outcome_of,
    sha256,
    verify_release,
    wheel_faults,
)
from leaks import texts_below
from processes import ROOT

pytestmark = pytest.mark.slow
REPORT = "build/tests/unit.xml"


@pytest.fixture(scope="module")
def made(packaged: Path) -> tuple[Path, str]:
    return make_release(packaged, [packaged / REPORT])


@pytest.fixture
def copied(made: tuple[Path, str], tmp_path: Path) -> Path:
    """The release, to be spoilt."""
    return Path(shutil.copytree(made[0], tmp_path / made[0].name))


def test_a_release_holds_what_was_built_and_what_is_deployed_with_it(
    packaged: Path, made: tuple[Path, str]
) -> None:
    folder, digest = made
    manifest = verify_release(folder, digest)
    commit = git(packaged, "rev-parse", "HEAD").strip()
    assert manifest.commit == commit
    assert folder == packaged / "releases" / f"0.1.0-{commit[:12]}"
    assert set(manifest.files) >= {
        "dist/lakehouse_ml-0.1.0-py3-none-any.whl",
        "dist/conf-lakehouse_ml.tar.gz",
        "requirements/job.txt",
        BUNDLE,
        "deploy/aws/requirements.txt",
        "tests/unit.xml",
    }
    assert any(name.startswith("deploy/aws/resources/") for name in manifest.files)
    assert manifest.tests == Outcome(tests=2, failed=0, skipped=1)


def test_no_planted_secret_is_in_wheel_archive_or_release(packaged: Path, made: tuple[Path, str]) -> None:
    assert PLANTED in (packaged / "conf/local/secrets.yml").read_text()
    texts = dict(texts_below(made[0]))
    assert any("conf/base/globals.yml" in name for name in texts)
    assert any("lakehouse_ml/routes.py" in name for name in texts)
    assert [name for name, text in texts.items() if PLANTED in text] == []
    assert not [name for name in texts if "/local/" in name and "gitkeep" not in name]


def test_the_same_release_is_never_made_twice(packaged: Path, made: tuple[Path, str]) -> None:
    with pytest.raises(ReleaseError, match="exists: a release is never made twice"):
        make_release(packaged, [packaged / REPORT])
    verify_release(*made)


def test_an_older_release_stays_beside_a_newer_one(checkout: Path) -> None:
    first, _ = make_release(checkout, [checkout / REPORT])
    (checkout / "README.md").write_text("newer\n")
    git(checkout, "commit", "-qam", "Newer")
    stamp_anew(checkout)
    second, _ = make_release(checkout, [checkout / REPORT])
    assert first != second
    assert verify_release(first).files.keys() == verify_release(second).files.keys()


@pytest.mark.parametrize(
    ("spoil", "told"),
    [
        (lambda p: (p / "README.md").write_text("mine"), "M README.md"),
        (lambda p: (p / "src/lakehouse_ml/extra.py").write_text(""), "?? src/lakehouse_ml/extra.py"),
        (lambda p: (p / "conf/prod/globals.yml").unlink(), "D conf/prod/globals.yml"),
        (lambda p: shutil.rmtree(p / ".git"), "git status --porcelain"),
    ],
    ids=["changed", "added", "removed", "no checkout"],
)
def test_a_tree_that_is_not_its_commit_makes_no_release(checkout: Path, spoil, told: str) -> None:
    spoil(checkout)
    with pytest.raises(ReleaseError) as refused:
        make_release(checkout, [checkout / REPORT])
    assert told in str(refused.value)
    assert not (checkout / "releases").exists()


def commit_change(checkout: Path, file: str) -> None:
    path = checkout / file
    path.write_text(f"{path.read_text()}\n# newer\n")
    git(checkout, "commit", "-qam", "Newer")


@pytest.mark.parametrize(
    ("file", "told"),
    [
        ("src/lakehouse_ml/routes.py", "lakehouse_ml/routes.py is changed"),
        ("conf/prod/globals.yml", "conf/prod/globals.yml is changed"),
    ],
)
def test_what_was_built_before_the_commit_is_refused(checkout: Path, file: str, told: str) -> None:
    commit_change(checkout, file)
    with pytest.raises(ReleaseError, match="is not built from this commit") as refused:
        make_release(checkout, [checkout / REPORT])
    assert told in str(refused.value)


def test_a_wheel_tells_the_commit_that_it_was_built_from_and_leaves_no_stamp_behind(checkout: Path) -> None:
    wheel, _ = built(checkout)
    commit = git(checkout, "rev-parse", "HEAD").strip()
    with zipfile.ZipFile(wheel) as packed:
        assert packed.read("lakehouse_ml/commit.txt").decode().strip() == commit
    assert not (checkout / "src/lakehouse_ml/commit.txt").exists()
    git(checkout, "commit", "-q", "--allow-empty", "-m", "Newer")
    (fault,) = wheel_faults(checkout, wheel)
    assert fault.startswith(f"lakehouse_ml/commit.txt tells {commit}, the commit is ")


def test_a_wheel_with_a_module_more_or_less_is_refused_by_name(checkout: Path) -> None:
    wheel, _ = built(checkout)
    with zipfile.ZipFile(wheel, "a") as packed:
        packed.writestr("lakehouse_ml/stowaway.py", "")
    assert wheel_faults(checkout, wheel) == ["lakehouse_ml/stowaway.py is additional"]
    (checkout / "src/lakehouse_ml/newer.py").write_text("")
    git(checkout, "add", "-A")
    assert "lakehouse_ml/newer.py is missing" in wheel_faults(checkout, wheel)


@pytest.mark.parametrize(
    "file", ["conf/prod/credentials.yml", "conf/local/secrets.json", "conf/local/secrets.yml"]
)
def test_an_archive_with_credentials_is_refused_by_name(checkout: Path, file: str) -> None:
    (checkout / file).write_text(PLANTED)
    _, archive = built(checkout)
    with tarfile.open(archive, "w:gz") as packed:
        packed.add(checkout / "conf", "conf")
    with pytest.raises(ReleaseError, match="would carry secrets in") as refused:
        archive_faults(checkout, archive)
    assert file.removeprefix("conf/") in str(refused.value)
    assert PLANTED not in str(refused.value)


@pytest.mark.parametrize(
    ("spoil", "told"),
    [
        (
            lambda p: (p / "dist/conf-lakehouse_ml.tar.gz").unlink(),
            "dist/conf-*.tar.gz: must be one file, is nothing",
        ),
        (
            lambda p: shutil.copy(built(p)[0], p / "dist/old.whl"),
            "dist/*.whl: must be one file, is lakehouse_ml-0.1.0",
        ),
    ],
    ids=["nothing built", "built twice"],
)
def test_what_was_built_must_be_one_of_each(checkout: Path, spoil, told: str) -> None:
    spoil(checkout)
    with pytest.raises(ReleaseError) as refused:
        make_release(checkout, [checkout / REPORT])
    assert told in str(refused.value)


def test_a_release_without_a_bundle_is_refused(checkout: Path) -> None:
    git(checkout, "rm", "-q", "deploy/*/databricks.yml")
    git(checkout, "commit", "-qm", "No bundle")
    stamp_anew(checkout)
    with pytest.raises(ReleaseError, match=r"deploy/\*/databricks\.yml is missing"):
        make_release(checkout, [checkout / REPORT])


@pytest.mark.parametrize(
    ("file", "how", "told"),
    [
        ("dist/conf-lakehouse_ml.tar.gz", "changed", "dist/conf-lakehouse_ml.tar.gz is changed"),
        ("requirements/job.txt", "changed", "requirements/job.txt is changed"),
        (BUNDLE, "removed", f"{BUNDLE} is missing"),
        ("tests/unit.xml", "removed", "tests/unit.xml is missing"),
        ("deploy/aws/resources/extra.yml", "changed", "deploy/aws/resources/extra.yml is additional"),
        ("dist/other.whl", "changed", "dist/other.whl is additional"),
    ],
)
def test_a_release_that_was_touched_is_refused_by_name(copied: Path, file: str, how: str, told: str) -> None:
    if how == "removed":
        (copied / file).unlink()
    else:
        with (copied / file).open("ab") as opened:
            opened.write(b" ")
    with pytest.raises(ReleaseError) as refused:
        verify_release(copied)
    assert told in str(refused.value)


def test_a_file_that_points_elsewhere_is_a_change(copied: Path, tmp_path: Path) -> None:
    moved = (copied / BUNDLE).rename(tmp_path / "elsewhere.yml")
    (copied / BUNDLE).symlink_to(moved)
    with pytest.raises(ReleaseError, match=f"{BUNDLE} is changed"):
        verify_release(copied)


def test_a_manifest_that_was_written_to_fit_is_refused_by_its_digest(
    made: tuple[Path, str], copied: Path
) -> None:
    (copied / BUNDLE).write_text("bundle: {name: another}\n")
    manifest = json.loads((copied / MANIFEST).read_text())
    manifest["files"][BUNDLE] = sha256(copied / BUNDLE)
    (copied / MANIFEST).write_text(json.dumps(manifest))
    verify_release(copied)
    with pytest.raises(ReleaseError, match="is not the manifest that was made"):
        verify_release(copied, made[1])


def test_a_release_of_another_commit_is_refused(made: tuple[Path, str]) -> None:
    verify_release(*made, verify_release(made[0]).commit)
    with pytest.raises(ReleaseError, match=r"is a release of commit [0-9a-f]{40}, not of 0123"):
        verify_release(*made, "0123")


@pytest.mark.parametrize("content", ["", "{}", '{"release": 1}'])
def test_a_folder_without_a_manifest_is_no_release(copied: Path, content: str) -> None:
    (copied / MANIFEST).write_text(content)
    with pytest.raises(ReleaseError, match="is no manifest"):
        verify_release(copied)
    (copied / MANIFEST).unlink()
    with pytest.raises(ReleaseError, match=r"is no release: it has no manifest\.json"):
        verify_release(copied)


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ('<testsuite tests="3" failures="1" errors="0" skipped="0"/>', "3 tests ran, 1 of them failed"),
        ('<testsuite tests="3" failures="0" errors="2" skipped="0"/>', "3 tests ran, 2 of them failed"),
        ('<testsuite tests="0" failures="0" errors="0" skipped="0"/>', "0 tests ran"),
        (
            '<testsuite tests="9" failures="0" errors="0" skipped="9"/>',
            "0 tests ran, 0 of them failed, 9 were",
        ),
        ("<html/>", "0 tests ran"),
        ("tests: 3", "is no JUnit report"),
    ],
)
def test_tests_that_failed_or_did_not_run_make_no_release(tmp_path: Path, content: str, told: str) -> None:
    report = tmp_path / "unit.xml"
    report.write_text(content)
    with pytest.raises(ReleaseError, match=told):
        outcome_of([report])


def test_reports_of_one_name_make_no_release(tmp_path: Path) -> None:
    reports = [tmp_path / folder / "unit.xml" for folder in ("first", "second")]
    for report in reports:
        report.parent.mkdir()
        report.write_text('<testsuite tests="3" failures="0" errors="0" skipped="0"/>')
    assert outcome_of(reports[:1]).tests == 3
    with pytest.raises(ReleaseError, match=r"^unit\.xml: a release keeps one report of a name"):
        outcome_of(reports)


def test_missing_reports_make_no_release(tmp_path: Path) -> None:
    with pytest.raises(ReleaseError, match="a release needs the reports of its tests"):
        outcome_of([])
    with pytest.raises(ReleaseError, match=r"unit\.xml is missing"):
        outcome_of([tmp_path / "unit.xml"])


def test_the_commands_tell_the_digest_and_refuse_in_a_sentence(checkout: Path) -> None:
    metadata = bootstrap_project(ROOT)._replace(project_path=checkout)
    told = CliRunner().invoke(cli, ["release", "--tests", str(checkout / REPORT)], obj=metadata)
    assert told.exit_code == 0, told.output
    folder = next((checkout / "releases").iterdir())
    digest = told.output.splitlines()[1].split()[0]
    whole = CliRunner().invoke(cli, ["release", "verify", str(folder), "--digest", digest], obj=metadata)
    assert whole.exit_code == 0
    assert f"Release {folder.name} is whole: " in whole.output
    (folder / BUNDLE).unlink()
    refused = CliRunner().invoke(cli, ["release", "verify", str(folder)], obj=metadata)
    assert refused.exit_code == 1
    assert refused.output == f"Error: this is not release {folder.name}: {BUNDLE} is missing\n"
