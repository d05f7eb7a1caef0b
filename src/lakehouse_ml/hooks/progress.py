"""What a person sees while a run works, and when it ends."""

import atexit
from typing import Any

from kedro.framework.hooks import hook_impl
from kedro.io import DataCatalog
from kedro.pipeline import Pipeline
from kedro.pipeline.node import Node
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from lakehouse_ml.pipelines.monitoring.summary import render_summary

SUMMARY = "reporting_summary"
LOG_WIDTH = 120


def console() -> Console:
    """The terminal; a log, which has no width of its own, gets one."""
    found = Console()
    return found if found.is_terminal else Console(width=LOG_WIDTH)


class ProgressHooks:
    """A progress bar on a terminal, nothing elsewhere; the run's summary on both."""

    def __init__(self) -> None:
        self._console = console()
        self._progress: Progress | None = None
        self._task: TaskID | None = None

    @hook_impl(trylast=True)
    def before_pipeline_run(self, pipeline: Pipeline) -> None:
        """Begin the bar."""
        self._stop()
        if not self._console.is_terminal:
            return
        columns = (
            TextColumn("[bold]{task.fields[stage]}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
        )
        self._progress = Progress(*columns, TextColumn("{task.description}"), console=self._console)
        self._task = self._progress.add_task("starting", total=len(pipeline.nodes), stage="")
        self._progress.start()
        # Kedro tells of no end that Ctrl-C makes, and a bar that nobody ended keeps the cursor.
        atexit.register(self._stop)

    @hook_impl
    def before_dataset_loaded(self, node: Node) -> None:
        """Name the node at work."""
        if self._progress is not None and self._task is not None:
            self._progress.update(self._task, description=node.short_name, stage=min(node.tags, default=""))

    @hook_impl
    def after_node_run(self) -> None:
        """One node further."""
        if self._progress is not None and self._task is not None:
            self._progress.advance(self._task)

    @hook_impl
    def after_pipeline_run(self, pipeline: Pipeline, catalog: DataCatalog) -> None:
        """End the bar, and print the summary of a run that made one."""
        self._stop()
        if SUMMARY in pipeline.outputs() | pipeline.datasets():
            summary: dict[str, Any] = catalog.load(SUMMARY)
            self._console.print(render_summary(summary))

    @hook_impl
    def on_pipeline_error(self) -> None:
        """End the bar."""
        self._stop()

    def _stop(self) -> None:
        if self._progress is not None:
            self._progress.stop()
            self._progress = None
            atexit.unregister(self._stop)
