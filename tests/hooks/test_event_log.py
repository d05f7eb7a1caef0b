import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from kedro.framework.hooks import hook_impl
from kedro.framework.hooks.manager import _create_hook_manager
from kedro.io import DataCatalog, DatasetError, MemoryDataset
from kedro.pipeline import Node, Pipeline
from kedro.runner import AbstractRunner, SequentialRunner

from lakehouse_ml.hooks import EventLogHooks, event_log
from lakehouse_ml.lakehouse.run import Run
from lakehouse_ml.pipelines.monitoring.findings import owner_of
from lakehouse_ml.pipelines.monitoring.history import HistoryParams, recent_stages
from lakehouse_ml.side_by_side import SideBySideRunner
from ledger_builders import entry

SESSION = "2026-01-05T06.00.13.000Z"
AS_OF = datetime(2013, 1, 5, tzinfo=UTC)
# Once a node has failed, none begins beside it.
MARKS, FAILS = threading.Event(), threading.Event()
RESTRICTED, SECRET = "N14228", "https://hooks.example.org/T0/B0/planted"  # pragma: allowlist secret


def mark(progress):
    MARKS.set()
    schema = "consumer string, table string, version bigint, as_of timestamp"
    row = progress.sparkSession.sql("SELECT 'test', 'bronze.x', 1L, current_timestamp()").toDF(
        *progress.columns
    )
    return row.to(progress.sparkSession.createDataFrame([], schema).schema)


def count(numbers):
    return len(numbers)


def refuse(numbers):
    owner_of({}, "numbers")


def refuse_beside(numbers):
    MARKS.wait(60)
    FAILS.set()
    owner_of({}, "numbers")


def count_beside(numbers):
    MARKS.wait(60)
    return len(numbers)


def quote(numbers):
    raise ValueError(f"no aircraft {RESTRICTED} at {SECRET}")


def interrupt(numbers):
    os.kill(os.getpid(), signal.SIGINT)
    return len(numbers)


def work_on(numbers):
    MARKS.wait(60)
    yield len(numbers)
    refuse(numbers)


def go_on(numbers):
    FAILS.wait(60)
    time.sleep(1.5)
    return len(numbers)


class Full(MemoryDataset):
    """Takes nothing any more."""

    def save(self, data) -> None:
        raise DatasetError("no room")


def follow(run, numbers):
    return run.as_of


def play(
    hooks: EventLogHooks,
    catalog: DataCatalog,
    *nodes: Node,
    runner: AbstractRunner | None = None,
    plugins: Sequence[object] = (),
) -> None:
    """Nodes run with their hooks as a session does."""
    MARKS.clear()
    FAILS.clear()
    pipeline, manager = Pipeline(nodes), _create_hook_manager()
    for each in (hooks, *plugins):
        manager.register(each)
    run = {
        "run_params": {"env": "test", "pipeline_names": ["daily"], "run_id": SESSION},
        "pipeline": pipeline,
        "catalog": catalog,
    }
    manager.hook.before_pipeline_run(**run)
    try:
        (runner or SequentialRunner()).run(pipeline, catalog, manager)
    except Exception as error:
        manager.hook.on_pipeline_error(error=error, **run)
        raise
    manager.hook.after_pipeline_run(run_result={}, **run)


class Stage:
    """Nodes over the project's own catalog, all with the hooks of one process."""

    def __init__(self, project) -> None:
        self.project = project
        self.hooks = EventLogHooks()

    def run(
        self,
        *nodes: Node,
        runner: AbstractRunner | None = None,
        plugins: Sequence[object] = (),
        **params: str,
    ) -> None:
        catalog = self.project.catalog(params=params)
        catalog["numbers"], catalog["full"] = MemoryDataset([1, 2]), Full()
        play(self.hooks, catalog, *nodes, runner=runner, plugins=plugins)

    def events(self) -> list[dict]:
        rows = self.project.table("ops.event_log").orderBy("timestamp", "sequence").collect()
        return [row.asDict(recursive=True) | {"details": json.loads(row["details"])} for row in rows]


@pytest.fixture
def stage(project) -> Stage:
    return Stage(project)


MARK = Node(mark, "before_ops_progress", "progress_of_test", name="mark", tags="first")
COUNT = Node(count, "numbers", "verdict", name="verify", tags="second")
INTERRUPT = Node(interrupt, "numbers", "verdict", name="verify", tags="second")
REFUSE = Node(refuse, "numbers", "verdict", name="verify", tags="second")
REFUSE_BESIDE = Node(refuse_beside, "numbers", "verdict", name="verify", tags="second")


def test_a_run_is_on_record_once_with_what_each_node_took_and_committed(stage):
    stage.run(MARK, COUNT)
    events = {event["message"]: event for event in stage.events()}
    assert set(events) == {"mark finished", "verify finished", "run finished"}
    assert stage.project.versions("ops")["ops.event_log"] == 1
    marked, run = events["mark finished"], events["run finished"]
    assert marked["details"]["commits"] == 2
    assert marked["details"]["duration_s"] > 0
    assert (marked["level"], marked["event_type"]) == ("METRICS", "flow_progress")
    assert marked["origin"] == {
        "run_id": SESSION,
        "pipeline_name": "first",
        "flow_name": "mark",
        "dataset_name": None,
        "environment": "test",
    }
    assert run["origin"]["run_id"] == SESSION
    assert (run["level"], run["details"]) == ("INFO", {"pipelines": ["daily"]})


def test_a_run_that_fails_is_on_record_with_its_reason_and_the_node_that_failed(stage):
    with pytest.raises(ValueError, match="nobody answers"):
        stage.run(MARK, REFUSE)
    events = {event["message"]: event for event in stage.events()}
    assert set(events) == {"mark finished", "verify failed", "run failed"}
    failed = events["run failed"]
    assert failed["level"] == "ERROR"
    assert failed["details"] == {
        "pipelines": ["daily"],
        "error": "ValueError",
        "text": "owners: nobody answers for 'numbers'; name one in the use case's owners, has {}",
    }


def test_what_an_error_quotes_of_the_data_or_of_a_secret_is_in_no_event(stage):
    with pytest.raises(ValueError, match=RESTRICTED):
        stage.run(Node(quote, "numbers", "verdict", name="verify", tags="second"))
    failed, run = stage.events()
    assert (failed["message"], run["details"]["error"]) == ("verify failed", "ValueError")
    assert not [word for word in (RESTRICTED, SECRET) if word in repr((failed, run))]


def test_a_run_that_was_interrupted_is_on_record_at_the_latest_when_the_next_one_begins(stage):
    with pytest.raises(KeyboardInterrupt):
        stage.run(MARK, INTERRUPT)
    stage.run(COUNT)
    first, second, third, *rest = stage.events()
    assert [event["message"] for event in (first, second, third)] == [
        "mark finished",
        "verify interrupted",
        "run interrupted",
    ]
    assert (third["level"], third["details"]) == ("WARN", {"pipelines": ["daily"]})
    assert [event["message"] for event in rest] == ["verify finished", "run finished"]


def test_nodes_that_work_side_by_side_are_each_on_record(stage):
    with pytest.raises(ValueError, match="nobody answers"):
        stage.run(MARK, REFUSE_BESIDE, runner=SideBySideRunner())
    events = {event["message"]: event["details"] for event in stage.events()}
    assert set(events) == {"mark finished", "verify failed", "run failed"}
    assert events["mark finished"]["commits"] == 2


def test_a_node_that_failed_ended_before_those_that_it_was_waited_for_with(stage):
    slow = Node(go_on, "numbers", "counted", name="go_on", tags="second")
    with pytest.raises(ValueError, match="nobody answers"):
        stage.run(MARK, REFUSE_BESIDE, slow, runner=SideBySideRunner(max_workers=3))
    ended = {event["message"]: event["timestamp"] for event in stage.events()}
    assert ended["go_on finished"] - ended["verify failed"] > timedelta(seconds=1)


class Refusing:
    """Another plugin, which is asked before the project's hooks."""

    @hook_impl(tryfirst=True)
    def before_node_run(self):
        raise RuntimeError("not today")


def test_a_node_that_another_plugin_stops_before_it_begins_has_failed(stage):
    node = Node(lambda: 1, None, "verdict", name="verify", tags="second")
    with pytest.raises(RuntimeError, match="not today"):
        stage.run(node, plugins=[Refusing()])
    assert {event["message"] for event in stage.events()} == {"verify failed", "run failed"}


@pytest.mark.parametrize("runner", [SequentialRunner, SideBySideRunner])
@pytest.mark.parametrize(
    ("func", "output", "error"), [(count_beside, "full", DatasetError), (work_on, "verdict", ValueError)]
)
def test_a_node_whose_output_cannot_be_made_or_saved_has_failed(stage, runner, func, output, error):
    with pytest.raises(error):
        stage.run(MARK, Node(func, "numbers", output, name="verify", tags="second"), runner=runner())
    assert {event["message"] for event in stage.events()} == {"mark finished", "verify failed", "run failed"}


class Printed(MemoryDataset):
    """Tells what is saved to it."""

    def save(self, data) -> None:
        sys.stdout.write("".join(f"{row[4]}\n" for row in data))


class Rows:
    """Stands for a session, of which an interrupted process needs a frame only."""

    @staticmethod
    def createDataFrame(rows, schema):
        return rows


def interrupted_process(runner: type[AbstractRunner]) -> None:
    """What a process does that Ctrl-C ends."""
    event_log.get_spark = Rows
    catalog = DataCatalog({"numbers": MemoryDataset([1]), "ops_event_log": Printed()})
    play(EventLogHooks(), catalog, INTERRUPT, runner=runner())


@pytest.mark.slow
@pytest.mark.parametrize(
    ("runner", "outcome"), [(SequentialRunner, "interrupted"), (SideBySideRunner, "finished")]
)
def test_a_process_that_is_interrupted_leaves_its_runs_record(runner, outcome):
    here = Path(__file__)
    env = {**os.environ, "PYTHONPATH": os.pathsep.join([str(here.parent), *sys.path])}
    ended = subprocess.run(
        [sys.executable, "-c", f"from {here.stem} import *; interrupted_process({runner.__name__})"],
        env=env,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == -signal.SIGINT
    assert ended.stdout.splitlines() == [f"verify {outcome}", "run interrupted"]


def test_the_tasks_of_a_job_are_one_run_on_the_page_also_one_that_failed(stage):
    opened = Run("made up", AS_OF, {})
    job = {"run_id": "550315892394120"}
    stage.run(Node(lambda numbers: opened, "numbers", "run", name="open", tags="first"), **job)
    stage.run(Node(follow, ["run", "numbers"], "when", name="follow", tags="second"), **job)
    with pytest.raises(ValueError, match="nobody answers"):
        stage.run(REFUSE, **job)
    assert {event["origin"]["run_id"] for event in stage.events()} == {"550315892394120"}
    found = recent_stages(stage.project.table("ops.event_log"), HistoryParams(days=7, decisions=1, runs=1))
    assert list(zip(found["run_id"], found["stage"], found["commits"], strict=True)) == [
        ("550315892394120", "first", 2),
        ("550315892394120", "second", 0),
    ]
    assert (found["duration_s"] > 0).all()


def test_a_run_by_hand_counts_as_the_run_that_it_goes_on_with(stage):
    opened = Run("20130105T0000-1", AS_OF, {})
    stage.run(Node(lambda numbers: opened, "numbers", "run", name="open", tags="first"))
    stage.run(Node(follow, ["run", "numbers"], "when", name="follow", tags="second"))
    assert {event["origin"]["run_id"] for event in stage.events()} == {"20130105T0000-1"}


def append(ledger, before):
    return ledger.append(entry(), None).sequence


def append_and_go_on(ledger, before):
    yield ledger.append(entry(), None).sequence


@pytest.mark.parametrize("write", [append, append_and_go_on])
def test_rows_that_a_node_adds_to_the_ledger_while_it_runs_are_its_commits(stage, write):
    stage.run(
        Node(
            lambda ledger: len(ledger.entries()), "promotion_ledger", "before", name="read", tags="promotion"
        ),
        Node(write, ["promotion_ledger", "before"], "appended", name="append", tags="promotion"),
    )
    commits = {event["message"]: event["details"].get("commits") for event in stage.events()}
    # The table, and the row.
    assert commits == {"read finished": 0, "append finished": 2, "run finished": None}


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
    hooks.before_pipeline_run({"env": "test", "run_id": SESSION}, DataCatalog())
    hooks.on_pipeline_error(error)
    assert "ops.event_log has no record of this failure: ConnectionRefusedError" in caplog.text
