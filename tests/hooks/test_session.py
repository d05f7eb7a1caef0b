"""What is refused before a run begins: unknown parameters and environments; and how Spark is started for it."""

from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from kedro.framework.project import pipelines
from kedro.framework.session import KedroSession
from kedro.framework.startup import bootstrap_project

from lakehouse_ml.cli import cli
from lakehouse_ml.conf_source import ConfSourceError
from lakehouse_ml.datasets.session import _settings
from lakehouse_ml.hooks.session import (
    SessionHooks,
    UnknownParameterError,
    refuse_unknown_parameters,
    spark_settings,
)
from processes import ROOT

pytestmark = pytest.mark.slow

READ = (
    *("params:training.tuning", "params:training.enough", "params:training.study.pruner"),
    *("params:as_of", "params:inference.due", "gold_features"),
)


@pytest.mark.parametrize(
    "given",
    [
        {"training": {"tuning": {"days": 7}}, "as_of": "2013-01-05", "mlflow_run_id": "x"},
        {"inference": {"due": {"lookback_days": 3}}},
        {"training": {"study": {"pruner": {"wait": 1}}}},
        {"serving": {"port": 1}},
        {},
    ],
)
def test_parameters_that_a_node_reads_pass(given: dict[str, Any]) -> None:
    refuse_unknown_parameters(given, READ)


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"trainig": {}, "as_of": ""}, "parameter trainig: nothing reads it; did you mean training?"),
        ({"zebra": 1}, "parameter zebra: nothing reads it; known are as_of, inference, training"),
        (
            {"training": {"tunning": {"days": 7}}},
            "parameter training.tunning: nothing reads it; did you mean training.tuning?",
        ),
        (
            {"inference": {"due": {}, "lookback_days": 3}},
            "parameter inference.lookback_days: nothing reads it; known are inference.due",
        ),
        (
            {"training": {"study": {"prunner": 1}}},
            "parameter training.study.prunner: nothing reads it; did you mean training.study.pruner?",
        ),
    ],
)
def test_a_misspelt_parameter_is_named_with_the_nearest_one(given: dict[str, Any], told: str) -> None:
    with pytest.raises(UnknownParameterError) as refused:
        refuse_unknown_parameters(given, READ)
    assert str(refused.value) == told


def test_a_dataset_is_no_parameter() -> None:
    with pytest.raises(UnknownParameterError, match="gold_features"):
        refuse_unknown_parameters({"gold_features": 1}, READ)


# Folders of conf without values of their own, and none at all: each would run on the tables of another environment.
@pytest.mark.parametrize("environment", ["nosuch", "local", "replay", "base"])
def test_no_session_opens_an_environment_that_does_not_exist(environment: str) -> None:
    bootstrap_project(ROOT)
    with KedroSession.create(ROOT, env=environment) as session:
        with pytest.raises(ConfSourceError) as refused:
            session.load_context()
        with pytest.raises(ConfSourceError):
            session.run(pipeline_names=["daily"])
    assert str(refused.value) == (
        f"no environment {environment!r} in {ROOT / 'conf'}; choose one of dev, prod, staging, test"
    )


@pytest.mark.parametrize(
    "command",
    [
        ["refresh", "--layer=gold", "--env=replay"],
        ["retrain", "--env=replay"],
        ["ledger", "show", "--env=replay"],
        ["rollback", "--reason=a try", "--env=replay"],
        ["promote", "--from=replay", "--to=dev"],
        ["lineage", "--version=1", "--env=replay"],
        ["serve", "--env=replay"],
        ["grants", "--env=replay"],
    ],
)
def test_every_command_says_which_environments_there_are(
    command: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    result = CliRunner().invoke(cli, command, obj=bootstrap_project(ROOT))
    assert result.exit_code == 1, result.output
    assert "no environment 'replay'" in result.output
    assert "choose one of dev, prod, staging, test" in result.output


CONF = {
    "globals": {"platform": "local"},
    "spark": {"spark.master": "local[2]", "spark.remote": None, "spark.sql.shuffle.partitions": 4},
    "pipeline_sessions": {"daily": {"spark.sql.shuffle.partitions": 2}},
}


@pytest.mark.parametrize(
    ("names", "partitions"), [((), "4"), (["retrain"], "4"), (["daily"], "2"), (["retrain", "daily"], "2")]
)
def test_spark_is_started_as_the_pipeline_wants_it(names: list[str], partitions: str) -> None:
    wanted = {"spark.master": "local[2]", "spark.sql.shuffle.partitions": partitions}
    assert spark_settings(CONF, names) == wanted


@pytest.mark.parametrize(
    ("run", "has_its_setting"), [(["daily"], True), (["retrain"], False), (None, False)], ids=str
)
def test_a_run_starts_spark_with_what_its_pipeline_wants(
    run: list[str] | None, has_its_setting: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[dict[str, str]] = []
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("lakehouse_ml.hooks.session.get_spark", lambda: started.append(dict(_settings)))
    bootstrap_project(ROOT)
    with KedroSession.create(ROOT, env="test") as session:
        context = session.load_context()
        hooks = SessionHooks()
        hooks.after_context_created(context)
        hooks.before_pipeline_run({"pipeline_names": run})
        hooks.after_pipeline_run()
    wanted = context.config_loader["pipeline_sessions"]["daily"].items()
    assert (wanted <= started[0].items()) == has_its_setting
    assert len(started) == 1


def test_a_platform_starts_its_session_itself() -> None:
    assert spark_settings({**CONF, "globals": {"platform": "databricks"}}, ["daily"]) == {}


def test_sessions_are_wanted_for_pipelines_that_exist() -> None:
    bootstrap_project(ROOT)
    with KedroSession.create(ROOT, env="test") as session:
        wanted = session.load_context().config_loader["pipeline_sessions"]
    assert wanted
    assert wanted.keys() <= pipelines.keys()
