"""Every run's events in ``ops.event_log``: written once, when the run ends, also when it fails or is interrupted.

A run that is killed leaves no event.
"""

import atexit
import hashlib
import json
import logging
import threading
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from kedro.framework.hooks import hook_impl
from kedro.io import DataCatalog
from kedro.pipeline.node import Node
from kedro.runner.task import Task

from lakehouse_ml.datasets import DeltaTable, PromotionLedger, RunLog
from lakehouse_ml.datasets.session import get_spark
from lakehouse_ml.hooks.own_words import kinds, own_words

logger = logging.getLogger(__name__)

AT_WORK, FINISHED, FAILED, INTERRUPTED = "at work", "finished", "failed", "interrupted"

_ORIGIN = "origin struct<run_id:string,pipeline_name:string,flow_name:string,dataset_name:string,environment:string>"
_EVENT = (
    f"id string, sequence bigint, {_ORIGIN}, timestamp timestamp, message string, level string, "
    "event_type string, details string"
)


@dataclass
class NodeTimes:
    """What one node did: from its first input's load to its last output's save.

    Attributes:
        stage: Stage of the node.
        started: Monotonic seconds.
        ended: Monotonic seconds.
        finished_at: Wall clock at the end.
        outcome: ``finished``, ``failed`` or ``interrupted``; until the run ends, also ``at work``.
        thread: Where it worked: Ctrl-C reaches the main one only.
        commits: Delta commits made.
        versions: Version of each table before the node wrote it.
    """

    stage: str
    started: float
    ended: float = 0.0
    finished_at: datetime = field(default_factory=lambda: datetime.now(UTC))
    outcome: str = AT_WORK
    thread: int = field(default_factory=threading.get_ident)
    commits: int = 0
    versions: dict[str, int] = field(default_factory=dict)

    @property
    def details(self) -> str:
        """Duration in seconds and commits, as JSON."""
        return json.dumps({"duration_s": round(self.ended - self.started, 3), "commits": self.commits})


class EventLogHooks:
    """Collects what the nodes did, and writes it as one commit."""

    def __init__(self) -> None:
        self._nodes: dict[str, NodeTimes] = {}
        self._catalog: DataCatalog | None = None
        self._environment = self._session = ""
        self._pipelines: list[str] = []
        self._is_open = False

    # Last, when nothing refuses the run any more and Spark is there: at exit, what was registered last is called first.
    @hook_impl(trylast=True)
    def before_pipeline_run(self, run_params: dict[str, Any], catalog: DataCatalog) -> None:
        """A new run begins with an empty log, after the record of one that this process was interrupted in."""
        self._interrupted()
        # Kedro tells only of ends that an Exception makes, and Ctrl-C makes none.
        atexit.register(self._interrupted)
        self._is_open = True
        self._pipelines = _pipelines(run_params)
        self._nodes = {}
        self._catalog = catalog
        self._environment = run_params.get("env") or "dev"
        self._session = run_params["run_id"]

    @hook_impl
    def before_dataset_loaded(self, node: Node) -> None:
        """A node begins with its first input."""
        self._touch(node)

    @hook_impl
    def before_node_run(self, node: Node) -> None:
        """A node without inputs begins here; one that is given a ledger writes it while it runs."""
        times = self._touch(node)
        times.versions |= {name: self._version(name) for name in self._ledgers(node)}

    @hook_impl
    def after_node_run(self, node: Node) -> None:
        """A node without outputs ends here."""
        self._count_commits(node, *self._ledgers(node))

    @hook_impl
    def on_node_error(self, node: Node) -> None:
        """A node that fails ends here."""
        self._touch(node, FAILED)

    @hook_impl
    def before_dataset_saved(self, dataset_name: str, node: Node) -> None:
        """Remember the table's version."""
        self._touch(node).versions[dataset_name] = self._version(dataset_name)

    @hook_impl
    def after_dataset_saved(self, dataset_name: str, node: Node) -> None:
        """A node ends with its last output; one that yields its outputs works until then."""
        self._count_commits(node, dataset_name, *self._ledgers(node))

    @hook_impl
    def after_pipeline_run(self) -> None:
        """Write the log of a run that succeeded."""
        self._close(FINISHED)
        self._write("INFO", "run finished")

    @hook_impl
    def on_pipeline_error(self, error: Exception) -> None:
        """Write the log of a run that failed, if it came as far as Spark."""
        if not self._is_open:
            return
        # Kedro tells of a node that fails in its function; one that yields works on while what it yields is saved.
        failed = _node_of(error)
        known = self._nodes.get(failed.short_name) if failed is not None else None
        if failed is not None and (known is None or known.outcome != FAILED):
            self._touch(failed, FAILED)
        self._close(FAILED)
        with _as_far_as_there_is_spark("failure"):
            self._write("ERROR", "run failed", error=kinds(error), text=own_words(error)[:2000])

    def _interrupted(self) -> None:
        """Write the log of a run that neither succeeded nor failed, if there is one.

        Its newest node was at work, also one that yields and had saved something, unless the nodes had threads of their
        own: Kedro waits for those.
        """
        if not self._is_open:
            return
        self._close(INTERRUPTED)
        for times in list(self._nodes.values())[-1:]:
            if times.thread == threading.main_thread().ident:
                times.outcome = INTERRUPTED
        with _as_far_as_there_is_spark("interruption"):
            self._write("WARN", "run interrupted")

    def _close(self, outcome: str) -> None:
        """The run has ended, and what was at work ended like that."""
        self._is_open = False
        atexit.unregister(self._interrupted)
        # A second Ctrl-C waits for no thread, and those that are left go on.
        for times in list(self._nodes.values()):
            if times.outcome == AT_WORK:
                times.outcome = outcome

    def _touch(self, node: Node, outcome: str = AT_WORK) -> NodeTimes:
        now = time.monotonic()
        times = self._nodes.setdefault(node.short_name, NodeTimes(min(node.tags, default=""), now))
        times.ended, times.finished_at, times.outcome = now, datetime.now(UTC), outcome
        return times

    def _count_commits(self, node: Node, *written: str) -> None:
        times = self._touch(node, FINISHED)
        now = {name: self._version(name) for name in written}
        times.commits += sum(version - times.versions[name] for name, version in now.items())
        times.versions |= now

    def _ledgers(self, node: Node) -> list[str]:
        return [name for name in node.inputs if isinstance(self._dataset(name), PromotionLedger)]

    def _dataset(self, name: str) -> Any:
        return self._catalog.get(name) if self._catalog is not None else None

    def _version(self, dataset_name: str) -> int:
        dataset = self._dataset(dataset_name)
        if isinstance(dataset, RunLog):
            dataset = dataset.runs
        elif isinstance(dataset, PromotionLedger):
            dataset = dataset.ledger.table
        return dataset.lakehouse.version(dataset.table) if isinstance(dataset, DeltaTable) else 0

    def _run_id(self) -> str:
        """The name that a job's tasks share; a session's own, where no run was opened or read."""
        log = self._dataset("run")
        return (log.name if isinstance(log, RunLog) else None) or self._session

    def _write(self, level: str, message: str, **details: str) -> None:
        assert self._catalog is not None
        run_id = self._run_id()
        rows = [
            self._row(number, run_id, name, times) for number, (name, times) in enumerate(self._nodes.items())
        ]
        ended = datetime.now(UTC)
        run = (
            len(rows),
            (run_id, None, None, None, self._environment),
            ended,
            message,
            level,
            "run_progress",
            json.dumps({"pipelines": self._pipelines, **details}),
        )
        events = [(_identity(row), *row) for row in [*rows, run]]
        self._catalog.save("ops_event_log", get_spark().createDataFrame(events, _EVENT))

    def _row(self, number: int, run_id: str, name: str, times: NodeTimes) -> tuple[Any, ...]:
        origin = (run_id, times.stage, name, None, self._environment)
        message = f"{name} {times.outcome}"
        return (number, origin, times.finished_at, message, "METRICS", "flow_progress", times.details)


def _pipelines(run_params: dict[str, Any]) -> list[str]:
    return list(run_params.get("pipeline_names") or [run_params.get("pipeline_name") or "__default__"])


def _node_of(error: BaseException) -> Node | None:
    """The node that the error comes from, by the frames of Kedro's task; None: from none."""
    frames = [frame for frame, _ in traceback.walk_tb(error.__traceback__)]
    tasks = [frame.f_locals for frame in frames if frame.f_globals.get("__name__") == Task.__module__]
    nodes = [own["node"] for own in tasks if isinstance(own.get("node"), Node)]
    return nodes[-1] if nodes else None


@contextmanager
def _as_far_as_there_is_spark(what: str) -> Iterator[None]:
    """Spark itself may be what ended, and then neither the table nor an error's own text is to be had."""
    try:
        yield
    except Exception as error:
        logger.warning("ops.event_log has no record of this %s: %s", what, type(error).__name__)


def _identity(row: tuple[Any, ...]) -> str:
    return hashlib.sha256(repr(row).encode()).hexdigest()
