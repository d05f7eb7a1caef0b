"""What `make lint` and `make scan` look for is found, by the very commands of the Makefile."""

import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from processes import ROOT

BIN = Path(sys.executable).parent
TOOLS = ("check-jsonschema", "zizmor", "detect-secrets-hook")
FOUND = {tool: shutil.which(tool, path=str(BIN)) or shutil.which(tool) for tool in TOOLS}
pytestmark = pytest.mark.slow


def command(target: str, tool: str, about: str) -> list[str]:
    """A command of a make target, without the files that it is given.

    Args:
        target: The make target.
        tool: Name of the program.
        about: Stands in the command.
    """
    recipe = re.search(rf"^{target}:.*\n((?:\t.*\n)+)", (ROOT / "Makefile").read_text(), re.MULTILINE)[1]
    (line,) = (line for line in recipe.splitlines() if f"$(BIN)/{tool}" in line and about in line)
    assert FOUND[tool] is not None, (
        f"{tool} is not installed, the environment is older than its pins: `make env`"
    )
    words = shlex.split(line.replace("$$", "$").split(f"$(BIN)/{tool}", 1)[1])
    return [FOUND[tool], *(word for word in words if not word.startswith((".github", ".azure", "azure-")))]


def accepts(words: list[str], *files: Path) -> bool:
    done = subprocess.run([*words, *map(str, files)], capture_output=True, cwd=ROOT, check=False)
    return done.returncode == 0


@pytest.mark.parametrize(
    ("file", "schema", "right", "wrong"),
    [
        (".github/workflows/checks.yml", "github-workflows", "runs-on:", "runs-onn:"),
        (".github/actions/prepare/action.yml", "github-actions", "using: composite", "using: composit"),
        ("azure-pipelines.yml", "azure-pipelines", "deployment: staging", "deploymnt: staging"),
        (".azure/deploy.yml", "azure-pipelines", "displayName: Deploy", "displayNam: Deploy"),
    ],
)
def test_a_misspelt_key_of_a_workflow_is_found(
    tmp_path: Path, file: str, schema: str, right: str, wrong: str
) -> None:
    words = command("workflows", "check-jsonschema", f"vendor.{schema} ")
    spoilt = tmp_path / Path(file).name
    spoilt.write_text((ROOT / file).read_text().replace(right, wrong))
    assert accepts(words, ROOT / file)
    assert not accepts(words, spoilt)


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ("  pull_request:", "  pull_request_target:"),
        ("df4cb1c069e1874edd31b4311f1884172cec0e10 # v6.0.3", "v6"),
        ("run: make lint", "run: echo ${{ github.event.pull_request.title }}"),
    ],
    ids=["trigger", "not pinned", "injected"],
)
def test_a_workflow_that_can_be_abused_is_found(tmp_path: Path, right: str, wrong: str) -> None:
    words = command("workflows", "zizmor", "--offline")
    text = (ROOT / ".github/workflows/checks.yml").read_text()
    for name, content in (("sound.yml", text), ("spoilt.yml", text.replace(right, wrong))):
        (tmp_path / name).write_text(content)
    assert accepts(words, tmp_path / "sound.yml")
    assert not accepts(words, tmp_path / "spoilt.yml")


@pytest.mark.parametrize(
    "planted",
    [
        "aws_access_key_id = 'AKIA" + "IOSFODNN7EXAMPLQ'",
        "password: 'correct-horse-" + "battery-staple'",
        "-----BEGIN RSA " + "PRIVATE KEY-----",
    ],
    ids=["key", "password", "private key"],
)
def test_a_secret_in_a_file_is_found(tmp_path: Path, planted: str) -> None:
    words = command("scan", "detect-secrets-hook", "--exclude-lines")
    (tmp_path / "sound.yml").write_text("webhook: ${secret:scope,key}\nsecret_scope: READ\n")
    (tmp_path / "spoilt.yml").write_text(f"{planted}\n")
    assert accepts(words, tmp_path / "sound.yml")
    assert not accepts(words, tmp_path / "spoilt.yml")
