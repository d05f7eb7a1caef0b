"""The stand-in for the platform's jobs is as strict as a host: what it lets pass must deserve it."""

import json
import os
import sys
from pathlib import Path
from typing import Any

import pytest

from job_runner import Platform, TaskFailedError

# A wheel of one module, as it lies in an environment.
MODULE = """
import json, os, sys
def main():
    given = dict(zip(sys.argv[1::2], sys.argv[2::2]))
    with open(os.environ["LOG"], "a") as log:
        print(json.dumps([*sys.argv, hasattr(sys, "ps1"), os.listdir()]), file=log)
    what = given.get("--do")
    if what == "exit":
        sys.exit(0)
    if what == "value":
        return {"a": "dataset"}
    if what == "litter":
        open("spark-warehouse", "w").close()
    if what == "fail":
        raise ValueError("the data is broken")
    if what == "wait":
        import time; time.sleep(60)
"""
pytestmark = pytest.mark.slow

METADATA = "Metadata-Version: 2.1\nName: wheel\nVersion: 1\n"


def task(key: str, *parameters: str, after: tuple[str, ...] = ()) -> dict[str, Any]:
    wheel = {"package_name": "wheel", "entry_point": "start", "parameters": list(parameters)}
    edges = {"depends_on": [{"task_key": other} for other in after]} if after else {}
    return {"task_key": key, "python_wheel_task": wheel, "timeout_seconds": 30, **edges}


def job(*tasks: dict[str, Any], **parameters: str) -> dict[str, Any]:
    return {"tasks": list(tasks), "parameters": [{"name": n, "default": d} for n, d in parameters.items()]}


@pytest.fixture
def place(tmp_path: Path) -> Path:
    info = tmp_path / "wheel-1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(METADATA)
    (info / "entry_points.txt").write_text("[console_scripts]\nstart = wheel:main\n")
    (tmp_path / "wheel.py").write_text(MODULE)
    return tmp_path


def platform(place: Path, **jobs: Any) -> Platform:
    own = {"PYTHONPATH": str(place), "LOG": str(place / "log"), "PYTHONDONTWRITEBYTECODE": "1"}
    return Platform({"jobs": jobs}, Path(sys.executable), place / "Workspace", own)


def logged(place: Path) -> list[list[Any]]:
    return [json.loads(line) for line in (place / "log").read_text().splitlines()]


def test_tasks_run_after_those_that_they_depend_on_in_shells_of_both_kinds_and_empty_directories(
    place: Path,
) -> None:
    tasks = (task("last", "-", "c", after=("first", "middle")), task("middle", "-", "b", after=("first",)))
    platform(place, daily=job(*tasks, task("first", "-", "a"))).run_job("daily", 1)
    assert logged(place) == [
        ["start", "-", "a", False, []],
        ["start", "-", "b", True, []],
        ["start", "-", "c", False, []],
    ]


def test_references_are_put_in_and_those_of_jobs_that_jobs_run_too(place: Path) -> None:
    params = "as_of={{job.parameters.as_of}},run={{job.parameters.run}},of=${resources.jobs.promote.id}"
    handed = {"as_of": "{{job.parameters.as_of}}", "run": "{{job.parameters.run}}"}
    then = {"task_key": "promote", "depends_on": [{"task_key": "train"}]}
    then["run_job_task"] = {"job_id": "${resources.jobs.promote.id}", "job_parameters": handed}
    jobs = {
        "retrain": job(task("train", "--params", params), then, as_of="", run="{{job.run_id}}"),
        "promote": job(task("decide", "--conf", "/Workspace/conf", "--params", params), as_of="", run="own"),
    }
    platform(place, **jobs).run_job("retrain", 77, {"as_of": "2013-02-24"})
    number = platform(place, **jobs).numbers["promote"]
    told = f"as_of=2013-02-24,run=77,of={number}"
    assert [arguments[1:-2] for arguments in logged(place)] == [
        ["--params", told],
        ["--conf", f"{place}/Workspace/conf", "--params", told],
    ]


@pytest.mark.parametrize(
    ("what", "told"),
    [
        ("exit", "the entry exits with 0, which a host takes for a failure"),
        ("value", "AssertionError: {'a': 'dataset'}"),
        ("fail", "ValueError: the data is broken"),
        ("litter", "left spark-warehouse in a directory"),
    ],
)
def test_only_a_plain_return_is_success_and_nothing_after_a_failure_runs(
    place: Path, what: str, told: str
) -> None:
    jobs = {"daily": job(task("first", "--do", what), task("next", after=("first",)))}
    with pytest.raises(TaskFailedError) as failed:
        platform(place, **jobs).run_job("daily", 1)
    assert told in str(failed.value)
    assert len(logged(place)) == 1


def test_a_killed_task_is_dead_and_one_that_ended_before_is_an_error(place: Path) -> None:
    jobs = {"daily": job(task("slow", "--do", "wait"), task("quick"))}
    # The file is there before its line is.
    platform(place, **jobs).kill_task(
        "daily", "slow", 1, when=lambda: (place / "log").exists() and bool(logged(place))
    )
    assert len(logged(place)) == 1
    with pytest.raises(TaskFailedError, match="ended before it was to be killed"):
        platform(place, **jobs).kill_task("daily", "quick", 1, when=lambda: False)


def test_an_entry_point_that_the_wheel_does_not_name_fails(place: Path) -> None:
    jobs = {"daily": job(task("first"))}
    jobs["daily"]["tasks"][0]["python_wheel_task"]["entry_point"] = "begin"
    with pytest.raises(TaskFailedError, match="not enough values to unpack"):
        platform(place, **jobs).run_job("daily", 1)
    assert "LOG" not in os.environ
