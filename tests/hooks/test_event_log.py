import json

import pytest
from kedro.framework.hooks.manager import _create_hook_manager
from kedro.io import DataCatalog, MemoryDataset
from kedro.pipeline import Node, Pipeline
from kedro.runner import SequentialRunner

from lakehouse_ml.hooks import EventLogHooks


class Stage:
    """A pipeline of two nodes, run with its hooks as a session does."""

    def __init__(self, project) -> None:
        self.project = project

    def run(self, fails: bool = False) -> None:
        catalog = self.project.catalog()
        catalog["numbers"] = MemoryDataset([1, 2])
        frame = catalog["before_ops_progress"].load()

        def mark(numbers):
            schema = "consumer string, table string, version bigint, as_of timestamp"
            row = frame.sparkSession.sql("SELECT 'test', 'bronze.x', 1L, current_timestamp()").toDF(
                *frame.columns
            )
            return row.to(frame.sparkSession.createDataFrame([], schema).schema)

        def verify(numbers):
            if fails:
                raise ValueError("numbers: too few, are 2")
            return len(numbers)

        pipeline = Pipeline(
            [
                Node(mark, "numbers", "progress_of_test", name="mark", tags="first"),
                Node(verify, "numbers", "verdict", name="verify", tags="second"),
            ]
        )
        manager = _create_hook_manager()
        manager.register(EventLogHooks())
        run = {
            "run_params": {"env": "test", "pipeline_names": ["daily"]},
            "pipeline": pipeline,
            "catalog": catalog,
        }
        manager.hook.before_pipeline_run(**run)
        try:
            SequentialRunner().run(pipeline, catalog, manager)
        except ValueError as error:
            manager.hook.on_pipeline_error(error=error, **run)
            raise
        manager.hook.after_pipeline_run(run_result={}, **run)

    def events(self) -> list[dict]:
        rows = self.project.table("ops.event_log").orderBy("timestamp", "sequence").collect()
        return [row.asDict(recursive=True) | {"details": json.loads(row["details"])} for row in rows]


@pytest.fixture
def stage(project) -> Stage:
    return Stage(project)


def test_a_run_is_on_record_once_with_what_each_node_took_and_committed(stage):
    stage.run()
    events = {event["message"]: event for event in stage.events()}
    assert set(events) == {"mark finished", "verify finished", "run finished"}
    assert stage.project.versions("ops")["ops.event_log"] == 1
    mark, run = events["mark finished"], events["run finished"]
    assert mark["details"]["commits"] == 2
    assert mark["details"]["duration_s"] > 0
    assert (mark["level"], mark["event_type"]) == ("METRICS", "flow_progress")
    assert mark["origin"] == {
        "run_id": None,
        "pipeline_name": "first",
        "flow_name": "mark",
        "dataset_name": None,
        "environment": "test",
    }
    assert (run["level"], run["details"]) == ("INFO", {"pipelines": ["daily"]})


def test_a_run_that_fails_is_on_record_with_its_reason_and_the_node_that_failed(stage):
    with pytest.raises(ValueError, match="too few"):
        stage.run(fails=True)
    events = {event["message"]: event for event in stage.events()}
    assert set(events) == {"mark finished", "verify failed", "run failed"}
    failed = events["run failed"]
    assert failed["level"] == "ERROR"
    assert failed["details"] == {
        "pipelines": ["daily"],
        "error": "ValueError",
        "text": "numbers: too few, are 2",
    }


class UnreadableError(Exception):
    """An error of an engine that is gone, which cannot tell its own text."""

    def __str__(self) -> str:
        raise ConnectionRefusedError("no engine")


@pytest.mark.parametrize("error", [UnreadableError(), ValueError("no rows")])
def test_what_cannot_be_recorded_does_not_hide_why_the_run_failed(error, monkeypatch, caplog):
    def no_session():
        raise ConnectionRefusedError("no engine")

    monkeypatch.setattr("lakehouse_ml.hooks.event_log.get_spark", no_session)
    hooks = EventLogHooks()
    hooks.before_pipeline_run({"env": "test"}, DataCatalog())
    hooks.on_pipeline_error(error, {"pipeline_names": ["daily"]})
    assert "ops.event_log has no record of this failure: ConnectionRefusedError" in caplog.text
