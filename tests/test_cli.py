"""The project's commands, and `kedro land`: where it lands, for which environment, what it says when it cannot."""

import shutil
import subprocess
import sys
from pathlib import Path

import click
import pandas as pd
import pytest
from click.testing import CliRunner, Result
from kedro.framework.startup import ProjectMetadata, bootstrap_project

from lakehouse_ml.cli import cli, landing

pytestmark = pytest.mark.slow

PROJECT = Path(__file__).parent.parent


@pytest.fixture(scope="module")
def metadata() -> ProjectMetadata:
    return bootstrap_project(PROJECT)


@pytest.fixture
def project(tmp_path, metadata) -> ProjectMetadata:
    """A project elsewhere with this project's conf, so that nothing lands in the real data folder."""
    shutil.copytree(PROJECT / "conf", tmp_path / "conf", ignore=shutil.ignore_patterns("local"))
    return metadata._replace(project_path=tmp_path)


@pytest.fixture(autouse=True)
def airlines_only(monkeypatch) -> None:
    at = pd.Timestamp("2012-12-30", tz="UTC")
    airlines = pd.DataFrame({"carrier": ["AA", "UA"], "name": ["American", "United"], "published_at": at})
    contracts = tuple(contract for contract in landing.SOURCES if contract.name == "airlines")
    monkeypatch.setattr(landing, "feed_records", lambda: {"airlines": airlines})
    monkeypatch.setattr("lakehouse_ml.flights.feed.playback.SOURCES", contracts)
    monkeypatch.delenv("KEDRO_ENV", raising=False)


def land(project: ProjectMetadata, *options: str) -> Result:
    return CliRunner().invoke(cli, ["land", *options], obj=project)


@pytest.mark.parametrize("name", cli.list_commands(click.Context(cli)))
def test_every_command_is_found_by_its_name(name):
    command = cli.get_command(click.Context(cli), name)
    assert command is not None
    assert command.name == name
    assert command.help


def test_a_command_that_does_not_exist_is_none_of_ours():
    refused = CliRunner().invoke(cli, ["lnad"])
    assert refused.exit_code == 2
    assert "No such command" in refused.output


def test_no_run_waits_for_libraries_that_only_other_commands_need():
    code = "import sys, lakehouse_ml.cli, lakehouse_ml.settings, lakehouse_ml.pipeline_registry; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "lakehouse_ml.pipelines.training.tracking" in done.stdout.split()
    assert not {"databricks.sdk", "skops", "uvicorn", "lakehouse_ml.deploy.bundle"} & set(done.stdout.split())


def test_files_land_in_the_environments_folder_and_the_report_counts_them(project):
    result = land(project, "--env", "staging", "--until", "2013-01-01")
    assert result.exit_code == 0, result.output
    folder = project.project_path / "data" / "01_raw" / "staging"
    assert [path.name for path in folder.rglob("*.gz")] == ["2012-12-30.jsonl.gz"]
    assert f"New in {folder}" in result.output
    assert "airlines" in result.output
    assert not list((project.project_path / "data" / "01_raw").glob("dev*"))


def test_the_environment_is_the_projects_default_unless_told(project, monkeypatch):
    assert land(project).exit_code == 0
    monkeypatch.setenv("KEDRO_ENV", "prod")
    assert land(project).exit_code == 0
    landed = {path.name for path in (project.project_path / "data" / "01_raw").iterdir()}
    assert landed == {"dev", "prod"}


def test_an_unknown_environment_is_refused_with_those_that_exist(project):
    result = land(project, "--env", "nope")
    assert result.exit_code != 0
    assert "no environment 'nope'" in result.output
    assert "dev, prod, staging, test" in result.output
    assert not (project.project_path / "data").exists()


def test_base_is_no_environment(project):
    assert "no environment 'base'" in land(project, "--env", "base").output


def test_globals_that_lack_the_landing_root_are_named(project):
    path = project.project_path / "conf" / "base" / "globals.yml"
    path.write_text("\n".join(x for x in path.read_text().splitlines() if "landing_root" not in x))
    result = land(project)
    assert result.exit_code != 0
    assert "lack landing_root; add it" in result.output


def test_what_the_feed_refuses_is_one_sentence_and_no_trace(project):
    result = land(project, "--from", "2013-01-01", "--until", "2012-12-31T05")
    assert result.exit_code == 1
    assert result.output.startswith("Error: ")
    assert "2012-12-31T05:00:00Z" in result.output


@pytest.mark.parametrize("option", [("--until", "soon"), ("--every", "week")])
def test_options_of_another_form_are_refused_with_their_value(project, option):
    result = land(project, *option)
    assert result.exit_code == 2
    assert option[1] in result.output


def test_messy_writes_the_manifest_beside_the_sources(project):
    assert land(project, "--messy", "--seed", "4").exit_code == 0
    assert '"seed": 4' in (project.project_path / "data/01_raw/dev/_manifest.json").read_text()


def test_kedro_keeps_its_own_commands_beside_land():
    from kedro.framework.cli.cli import KedroCLI

    commands = KedroCLI(PROJECT).list_commands(None)
    assert {"land", "run", "catalog", "registry"} <= set(commands)
