"""`kedro replay`: what it plays, and what it says when it cannot, before anything is played."""

import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path

import click
import pandas as pd
import pytest
from click.testing import CliRunner, Result
from kedro.framework.startup import ProjectMetadata, bootstrap_project

from lakehouse_ml.cli import cli, replaying
from lakehouse_ml.cli.replaying import (
    flights_feed,
    read_script,
    refusals,
    refuse_what_the_feed_lacks,
    replay_folder,
    replay_name,
)
from lakehouse_ml.flights.feed import FeedError
from lakehouse_ml.incidents import Poisoned, read_incidents
from lakehouse_ml.pipelines.ingestion.open_run import AsOfError
from lakehouse_ml.replay.steps import ReplayError, Step
from lakehouse_ml.replay.world import DATA, World, parameters

pytestmark = pytest.mark.slow

PROJECT = Path(__file__).parent.parent
RENAMED = """
- name: a code changes
  kind: renamed
  sources: [timetable, movements]
  column: carrier
  values: {B6: J6}
  from: 2013-02-23T12:00
  until: 2013-02-25
"""


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ProjectMetadata:
    monkeypatch.delenv("KEDRO_ENV", raising=False)
    shutil.copytree(PROJECT / "conf", tmp_path / "conf", ignore=shutil.ignore_patterns("local"))
    return bootstrap_project(PROJECT)._replace(project_path=tmp_path)


def replay(project: ProjectMetadata, *options: str) -> Result:
    times = ("--from", "2013-04-01", "--to", "2013-04-29")
    return CliRunner().invoke(cli, ["replay", *times, *options], obj=project)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--from", "2013-05-01", "--to", "2013-04-01"), "--to must lie a --step after --from"),
        (("--step", "a week"), "'a week' is no length of time; give e.g. 7d or 12h"),
        (("--step", "0d"), "--step must be longer than nothing"),
        (("--policy", "sometimes"), "'never', 'monthly', 'triggered'"),
        (("--incidents", "nowhere.yml"), "does not exist"),
        (("--env", "nope"), "no environment 'nope'"),
        (
            ("--from", "2013-03-25T12"),
            "--from=2013-03-25T12:00 is too early to train: give 2013-03-26 or later",
        ),
        (
            ("--to", "2014-02-01"),
            "the last step begins at 2014-01-20T00:00, and nothing arrives after 2014-01-02",
        ),
    ],
)
def test_what_cannot_be_played_is_one_sentence_and_no_trace(
    project: ProjectMetadata, options: tuple[str, ...], words: str
) -> None:
    result = replay(project, *options)
    assert result.exit_code != 0
    assert words in result.output
    assert "Traceback" not in result.output
    assert not (project.project_path / "data").exists()


@pytest.mark.parametrize(
    ("mistake", "words"),
    [
        (
            "kind: flood",
            "flood: Input tag 'flood' found using 'kind' does not match any of the expected tags",
        ),
        (
            "kind: silent, source: wether",
            "flood: source: must be one of timetable, movements, weather, planes",
        ),
        ("kind: silent, source: weather, noticed_by: [freshnes]", "values_went_missing, is 'freshnes'"),
        ("kind: silent, source: [", "expected the node content, but found '}'"),
    ],
)
def test_a_mistake_in_the_file_of_incidents_is_named_before_anything_is_built(
    project: ProjectMetadata, mistake: str, words: str
) -> None:
    file = project.project_path / "incidents.yml"
    file.write_text(f"[{{name: flood, from: 2013-05-01, until: 2013-05-02, {mistake}}}]")
    result = replay(project, "--incidents", str(file))
    assert result.exit_code == 1
    assert f"Error: {file}: " in result.output
    assert words in result.output
    assert not (project.project_path / "data").exists()


def test_the_projects_own_incidents_are_sound(project: ProjectMetadata) -> None:
    file = PROJECT / "conf/replay/incidents.yml"
    kinds = [one.kind for one in read_script(file, file.read_text(), parameters(PROJECT / "conf", "dev"))]
    assert kinds == ["silent", "renamed", "poisoned", "resent", "scaled"]


@pytest.mark.parametrize("error", [ReplayError, FeedError, AsOfError])
def test_a_refusal_is_told_in_its_own_words(error: type[Exception]) -> None:
    with pytest.raises(click.ClickException, match="as_of: 2012-01-01 lies before"), refusals():
        raise error("as_of: 2012-01-01 lies before the first data")


def test_a_feed_is_asked_for_nothing_once_all_data_is_played(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(replaying, "flights_reach", lambda: pytest.fail("the feed was asked"))
    world, now = World(tmp_path, PROJECT), datetime(2013, 1, 1, tzinfo=UTC)
    world.done(DATA).add(Step("run-1", now, {}, 1.0))
    refuse_what_the_feed_lacks(world, [now], {})


def test_each_environment_has_its_own_replays(project: ProjectMetadata) -> None:
    folders = {env: replay_folder(project.project_path, env) for env in ("dev", "staging")}
    assert folders == {env: project.project_path / "data/replay" / env for env in folders}


@pytest.mark.parametrize(
    ("start", "step", "name"),
    [
        ("2013-04-01", "7d", "calm-from-2013-04-01-step-168h"),
        ("2013-04-01", "1h", "calm-from-2013-04-01-step-1h"),
        ("2013-04-01", "90min", "calm-from-2013-04-01-step-90min"),
        ("2013-04-01", "30min", "calm-from-2013-04-01-step-30min"),
        ("2013-04-01T12", "1h", "calm-from-2013-04-01T1200-step-1h"),
    ],
)
def test_the_name_of_a_replay_holds_its_whole_start_and_step(start: str, step: str, name: str) -> None:
    began = datetime.fromisoformat(start).replace(tzinfo=UTC)
    assert replay_name(None, began, pd.Timedelta(step).to_pytimedelta()) == name


def test_a_replay_with_incidents_bears_the_name_of_their_file() -> None:
    name = replay_name(
        Path("conf/replay/incidents.yml"), datetime(2013, 4, 1, tzinfo=UTC), timedelta(days=14)
    )
    assert name == "incidents-from-2013-04-01-step-336h"


def test_the_feed_of_flights_goes_wrong_as_the_file_says(tmp_path: Path) -> None:
    (renamed,) = read_incidents(RENAMED)
    assert not isinstance(renamed, Poisoned)
    land = flights_feed([renamed])
    carriers = {}
    for name, since in {
        "sound": datetime(2013, 2, 22, tzinfo=UTC),
        "damaged": datetime(2013, 2, 24, tzinfo=UTC),
    }.items():
        land(tmp_path / name, since, since + timedelta(days=1))
        (file,) = (tmp_path / name / "timetable").iterdir()
        carriers[name] = set(pd.read_json(file, lines=True)["carrier"])
    assert {"B6", "J6"} & carriers["sound"] == {"B6"}
    assert {"B6", "J6"} & carriers["damaged"] == {"J6"}
