"""Which runner a run gets."""

import pytest
from click.testing import CliRunner
from kedro.framework.cli.project import run as kedro_run

from lakehouse_ml.cli.running import run, runner_for

BESIDE, AFTER = (
    "lakehouse_ml.side_by_side.SideBySideRunner",
    "kedro.runner.sequential_runner.SequentialRunner",
)

# A command brings in every pipeline of the project.
pytestmark = pytest.mark.slow


@pytest.mark.parametrize(
    ("pipelines", "runner"),
    [
        (["daily"], BESIDE),
        (["ingestion", "feature_engineering"], BESIDE),
        (["monitoring"], BESIDE),
        ([], AFTER),
        (["__default__"], AFTER),
        (["retrain"], AFTER),
        (["daily", "training"], AFTER),
        (["promotion"], AFTER),
        (["maintenance"], AFTER),
    ],
)
def test_nodes_work_side_by_side_in_the_stages_of_a_day(pipelines: list[str], runner: str) -> None:
    assert runner_for(pipelines) == runner


@pytest.mark.parametrize(
    ("options", "runner"),
    [
        ("--pipelines daily", BESIDE),
        ("--pipeline daily", BESIDE),
        ("--pipelines ingestion,training", AFTER),
        ("", AFTER),
        ("--pipelines daily --runner SequentialRunner", "SequentialRunner"),
        ("--runner ThreadRunner", "ThreadRunner"),
    ],
)
def test_a_runner_that_is_named_is_taken(monkeypatch: pytest.MonkeyPatch, options: str, runner: str) -> None:
    given: list[str] = []
    monkeypatch.setattr(kedro_run, "callback", lambda **options: given.append(options["runner"]))
    result = CliRunner().invoke(run, options.split())
    assert result.exit_code == 0, result.output
    assert given == [runner]
