"""The drawings of docs/architecture.md, made from the pipeline registry and the bundle's values.

``python tests/architecture.py`` writes them anew; ``tests/test_docs.py`` fails when they are not current.
"""

import re
from collections.abc import Iterator
from pathlib import Path

from kedro.framework.project import pipelines
from kedro.framework.startup import bootstrap_project

from lakehouse_ml.cli.bundle import read_project
from lakehouse_ml.deploy.graph import handed_over
from lakehouse_ml.deploy.values import CommandJob, Values
from lakehouse_ml.pipeline_registry import STAGES

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs/architecture.md"
# The run's row and its champion are read by nearly everybody, and would cross every other line.
SHARED = {"run"}


def redrawn(page: str) -> str:
    """The page with its drawings as the code has them now."""
    bootstrap_project(ROOT)
    project = read_project(ROOT)
    drawings = {"stages": stages(), "jobs": jobs(project.values, project.roles.run_as)}
    for name, lines in drawings.items():
        drawn = "\n".join([f"<!-- {name} -->", "```mermaid", "flowchart LR", *lines, "```"])
        page, found = re.subn(
            rf"<!-- {name} -->\n```mermaid\n.*?\n```", lambda _, d=drawn: d, page, flags=re.S
        )
        assert found == 1, f"docs/architecture.md has no place for the drawing {name}"
    return page


def stages() -> Iterator[str]:
    """An arrow from the stage that writes to the stage that reads, with the datasets between them."""
    names = [stage.__name__.rsplit(".", 1)[1] for stage in STAGES]
    yield from (f"    {name}[{name.replace('_', ' ')}]" for name in names)
    for writer in names:
        for reader in names:
            between = set(handed_over(pipelines, writer, reader)) - SHARED
            if writer != reader and between:
                yield f'    {writer} -->|"{"<br>".join(sorted(between))}"| {reader}'


def jobs(values: Values, run_as: dict[str, str]) -> Iterator[str]:
    """A box for each job with its tasks, and arrows for the jobs that it starts."""
    for name, job in values.jobs.items():
        yield f'    subgraph {name}["{name}, as {run_as[name]}"]'
        yield "        direction LR"
        tasks = (job.command,) if isinstance(job, CommandJob) else job.pipelines
        yield "        " + " --> ".join(f"{name}_{task}[{task.replace('_', ' ')}]" for task in tasks)
        yield "    end"
    for name, job in values.pipeline_jobs.items():
        for task, started in job.starts.items():
            yield f'    {name}_{task} -.->|"jobs API, key of the request"| {started}'
        if job.then:
            yield f"    {name} --> {job.then}"


if __name__ == "__main__":
    PAGE.write_text(redrawn(PAGE.read_text()))
