"""``kedro run``: Kedro's own, but for the runner where none is named."""

from collections.abc import Collection
from copy import copy
from typing import Any

import click
from kedro.framework.cli.project import run as kedro_run
from kedro.runner import SequentialRunner

from lakehouse_ml.pipeline_registry import DAILY
from lakehouse_ml.side_by_side import SideBySideRunner

# Spark plans a node in one thread, and for a day's few rows that takes longer than the rows do.
SIDE_BY_SIDE = {"daily", *DAILY}


def runner_for(pipelines: Collection[str]) -> str:
    """Name of the runner for the pipelines of those names; none: the whole loop.

    Nodes that wait for each other in nothing work side by side, but in a run that trains: a model takes both cores by
    itself, and a thread does not hear Ctrl-C before its node ends.
    """
    runner = SideBySideRunner if pipelines and SIDE_BY_SIDE.issuperset(pipelines) else SequentialRunner
    return f"{runner.__module__}.{runner.__name__}"


@click.pass_context
def _run(context: click.Context, **options: Any) -> Any:
    named = [*options["pipelines"], *filter(None, [options["pipeline"]])]
    return context.invoke(kedro_run, **options | {"runner": options["runner"] or runner_for(named)})


run = copy(kedro_run)
run.callback = _run
