"""A checkout of this project, built."""

import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from processes import ROOT

PLANTED = "pl4nted-value-that-no-release-holds"
_REPORT = '<testsuites><testsuite name="pytest" tests="3" failures="0" errors="0" skipped="1"/></testsuites>'
BUNDLE = "deploy/aws/databricks.yml"
# Where the tree has none yet.
_BUNDLE = {
    BUNDLE: "bundle: {name: lakehouse_ml}\n",
    "deploy/aws/requirements.txt": "pydantic\n",
    "deploy/aws/resources/daily.job.yml": "resources: {}\n",
}


def git(project: Path, *arguments: str) -> str:
    """What git says."""
    identity = ("-c", "user.name=test", "-c", "user.email=test@example.org", "-c", "commit.gpgsign=false")
    done = subprocess.run(
        ["git", *identity, *arguments], cwd=project, capture_output=True, text=True, check=True
    )
    return done.stdout


def committed_copy(project: Path) -> Path:
    """This project as it stands, as the one commit of another folder."""
    for name in git(ROOT, "ls-files", "--cached", "--others", "--exclude-standard").splitlines():
        if (ROOT / name).is_file():
            (project / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, project / name)
    for name, content in _BUNDLE.items():
        (project / name).parent.mkdir(parents=True, exist_ok=True)
        if not (project / name).exists():
            (project / name).write_text(content)
    for arguments in (("init", "-q"), ("add", "-A"), ("commit", "-qm", "All of it")):
        git(project, *arguments)
    return project


def build(project: Path) -> Path:
    """Build it by ``kedro package``, with secrets wherever they may be, and tests that passed."""
    (project / "conf/local/secrets.yml").write_text(f"lakehouse_ml_prod: {{alert-webhook: {PLANTED}}}\n")
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("LAKEHOUSE_ML_PROD_ALERT_WEBHOOK", PLANTED)
        patched.setenv("PYTHONPATH", str(project / "src"))
        command = [sys.executable, "-m", "kedro", "package"]
        done = subprocess.run(command, cwd=project, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    (project / "build/tests").mkdir(parents=True, exist_ok=True)
    (project / "build/tests/unit.xml").write_text(_REPORT)
    return project


def stamp_anew(project: Path) -> None:
    """Give the wheel the stamp of the newest commit, as packaging it again would."""
    (wheel,) = (project / "dist").glob("*.whl")
    with zipfile.ZipFile(wheel) as packed:
        members = {name: packed.read(name) for name in packed.namelist()}
    with zipfile.ZipFile(wheel, "w") as packed:
        for name, content in (
            members | {"lakehouse_ml/commit.txt": git(project, "rev-parse", "HEAD")}
        ).items():
            packed.writestr(name, content)
