"""The entry that every task of a job runs, as a job's host calls it: in its process, in a folder of no meaning."""

import os
import subprocess
import sys
from pathlib import Path

import click
import pytest

from lakehouse_ml.__main__ import main
from lakehouse_ml.conf_source import ConfSourceError
from lakehouse_ml.platform import PLATFORM_VARIABLE, platform
from processes import QUICK_TO_START, ROOT, project_at

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
def outcome(*pipelines):
    try:
        return main([*sys.argv[1:], "--pipelines", *pipelines])
    except BaseException as error:
        return type(error).__name__
for shell in ("plain", "interactive"):
    if shell == "interactive":
        sys.ps1 = ">>> "
    print(shell, outcome("maintenance"), outcome("nope"))
print("reached", sorted(reached), "telemetry off", os.environ["DO_NOT_TRACK"])
"""


@pytest.mark.slow
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
        "plain None ValueError",
        "interactive None ValueError",
        "reached [] telemetry off 1",
    ], done.stdout[-3000:] + done.stderr[-3000:]
    assert [path.name for path in foreign.iterdir()] == ["data"]


@pytest.mark.parametrize("interactive", [False, True])
def test_help_ends_without_an_exit(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, interactive: bool
) -> None:
    if interactive:
        monkeypatch.setattr(sys, "ps1", ">>> ", raising=False)
    assert main(["--help"]) is None
    assert "--conf-source" in capsys.readouterr().out


def test_options_that_do_not_exist_are_an_error_and_no_exit() -> None:
    with pytest.raises(click.UsageError, match="--pipelinez"):
        main(["--conf-source", CONF, "--env", "test", "--pipelinez", "ingestion"])


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("--conf-source", "conf", "--env", "test"), "must be an absolute path, is 'conf'"),
        (("--env", "test"), "must be an absolute path, is None"),
        (("--conf-source", CONF, "--env", "pord"), "no environment 'pord'"),
        ((f"--conf-source={CONF}", "-e", "pord"), "choose one of dev, prod, staging, test"),
        (("--conf-source", CONF), "no environment None"),
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
