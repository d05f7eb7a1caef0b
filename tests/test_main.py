"""The entry that every task of a job runs, as a job's host calls it: in its process, in a folder of no meaning."""

import os
import re
import subprocess
import sys
from pathlib import Path

import click
import pytest

from lakehouse_ml.__main__ import main
from lakehouse_ml.conf_source import ConfSourceError
from lakehouse_ml.platform import PLATFORM_VARIABLE, platform
from processes import QUICK_TO_START, ROOT, project_at

pytestmark = pytest.mark.slow

CONF = str(ROOT / "conf")

# What a host does, twice: in a plain interpreter, and in one that takes itself for interactive.
HOST = """
import os, sys
reached = set()
local = ("127.", "::1", "localhost", "::ffff:127.")
def watch(event, arguments):
    if event == "socket.connect" and isinstance(arguments[1], tuple):
        address = str(arguments[1][0])
        if not address.startswith(local):
            reached.add(address)
    if event == "socket.getaddrinfo" and not str(arguments[0]).startswith((*local, "None", os.uname().nodename)):
        reached.add(str(arguments[0]))
sys.addaudithook(watch)
from lakehouse_ml.__main__ import main
def outcome(*arguments):
    try:
        return main([*arguments, *sys.argv[1:]])
    except BaseException as error:
        return type(error).__name__
for shell in ("plain", "interactive"):
    if shell == "interactive":
        sys.ps1 = ">>> "
    runs = outcome("--pipelines", "maintenance"), outcome("--pipelines", "nope")
    print(shell, *runs, outcome("approve", "--version=1", "--by=Ada", "--note=card read, slices too"))
print("reached", sorted(reached), "telemetry off", os.environ["DO_NOT_TRACK"])
"""


@pytest.mark.loop
def test_a_host_gets_nothing_for_success_and_the_error_for_a_failure_whatever_its_shell(
    tmp_path: Path,
) -> None:
    conf = project_at(tmp_path / "project", QUICK_TO_START) / "conf"
    foreign = tmp_path / "foreign"
    foreign.mkdir()
    inherited = {name: value for name, value in os.environ.items() if name != "DO_NOT_TRACK"}
    command = [sys.executable, "-c", HOST, "--conf-source", str(conf), "--env", "test"]
    done = subprocess.run(command, cwd=foreign, env=inherited, capture_output=True, text=True, check=False)
    told = [line for line in done.stdout.splitlines() if line.startswith(("plain", "interactive", "reached"))]
    assert told == [
        "plain None ValueError ClickException",
        "interactive None ValueError ClickException",
        "reached [] telemetry off 1",
    ], done.stdout[-3000:] + done.stderr[-3000:]
    assert [path.name for path in foreign.iterdir()] == ["data"]


@pytest.mark.parametrize("interactive", [False, True])
@pytest.mark.parametrize(
    ("command", "own"), [((), "--pipelines"), (("approve",), "--note"), (("rollback",), "--to")]
)
def test_help_ends_without_an_exit(
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    command: tuple[str, ...],
    own: str,
    interactive: bool,
) -> None:
    if interactive:
        monkeypatch.setattr(sys, "ps1", ">>> ", raising=False)
    assert main([*command, "--help"]) is None
    told = capsys.readouterr().out
    assert told.startswith(" ".join(("Usage: lakehouse-ml", *command, "[OPTIONS]")))
    assert "--conf-source" in told
    assert own in told


def test_options_that_do_not_exist_are_an_error_and_no_exit() -> None:
    with pytest.raises(click.UsageError, match="--pipelinez"):
        main(["--conf-source", CONF, "--env", "test", "--pipelinez", "ingestion"])


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("aprove", "--version=1"), "No such option: --version|unexpected extra argument"),
        (("approve", "--version=1", "--by=Ada"), "Missing parameter: note"),
        (("approve", "--version=1", "--by=", "--note=card read"), "--by: must say something, is ''"),
        (("approve", "--version= ", "--by=Ada", "--note=card read"), "--version: must say something, is ' '"),
        (("approve", "--version=1", "--by=Ada", "--note="), "--note: must say something"),
        (("rollback", "--reason=", "--to=", "--by=Ada"), "--reason: must say something"),
        (("rollback", "--reason=too many misses", "--to=", "--by="), "--by: must say something"),
    ],
)
def test_a_command_that_says_too_little_is_an_error_by_name_and_no_exit(
    arguments: tuple[str, ...], told: str
) -> None:
    with pytest.raises(click.UsageError) as refused:
        main([*arguments, "--conf-source", CONF, "--env", "test"])
    assert re.search(told, str(refused.value))


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("--conf-source", "conf", "--env", "test"), "must be an absolute path, is 'conf'"),
        (("--env", "test"), "must be an absolute path, is None"),
        (("--conf-source", CONF, "--env", "pord"), "no environment 'pord'"),
        ((f"--conf-source={CONF}", "-e", "pord"), "choose one of dev, prod, staging, test"),
        (("--conf-source", CONF), "no environment None"),
        (("approve", "--conf-source", "conf", "--env", "test"), "must be an absolute path, is 'conf'"),
        (("approve", "--conf-source", CONF, "--env", "pord"), "no environment 'pord'"),
        (("rollback", "--env", "test"), "must be an absolute path, is None"),
        (("rollback", "--conf-source", CONF), "no environment None"),
    ],
)
def test_a_task_without_its_own_configuration_does_not_start(
    monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...], told: str
) -> None:
    monkeypatch.chdir(ROOT)
    monkeypatch.delenv("KEDRO_ENV", raising=False)
    with pytest.raises(ConfSourceError, match=told):
        main(arguments)


def test_the_platform_is_an_option_since_a_job_sets_no_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(PLATFORM_VARIABLE, "local")
    with pytest.raises(ConfSourceError):
        main(["--platform", "databricks", "--conf-source", CONF, "--env", "pord"])
    assert platform() == "databricks"
    with pytest.raises(ValueError, match="must be local or databricks, is 'mainframe'"):
        main(["--platform=mainframe", "--conf-source", CONF, "--env", "test", "--pipelines", "maintenance"])


def test_arguments_come_from_the_command_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["lakehouse-ml", "--conf-source", CONF, "--env", "pord"])
    with pytest.raises(ConfSourceError, match="no environment 'pord'"):
        main()
