from copy import deepcopy
from typing import Any

import pytest

from lakehouse_ml.deploy.values import BundleError
from lakehouse_ml.deploy.whole import check_whole, differences

pytestmark = pytest.mark.slow

JOB: dict[str, Any] = {
    "name": "daily",
    "trigger": {"pause_status": "UNPAUSED", "file_arrival": {"url": "/Volumes/dev/bronze/landing/"}},
    "tasks": [
        {"task_key": "ingestion", "python_wheel_task": {"package_name": "p", "entry_point": "e"}},
        {"task_key": "promote", "run_job_task": {"job_id": "${resources.jobs.promote.id}"}},
    ],
    "permissions": [{"level": "CAN_VIEW", "group_name": "people"}],
}
SCHEMA = {
    "name": "gold",
    "catalog_name": "dev",
    "grants": [{"principal": "people", "privileges": ["SELECT"]}],
}


def changed(resource: dict[str, Any], path: str, value: Any) -> dict[str, Any]:
    copy = deepcopy(resource)
    *way, last = path.split(".")
    place: Any = copy
    for step in way:
        place = place[int(step)] if step.isdigit() else place[step]
    place[last] = value
    return copy


def test_what_the_sdk_knows_comes_back_whole() -> None:
    check_whole({"jobs": {"daily": JOB}, "schemas": {"gold": SCHEMA}})


@pytest.mark.parametrize(
    ("path", "value", "named"),
    [
        ("max_runs", 1, "jobs.daily.max_runs"),
        ("trigger.pause_status", "RESTING", "jobs.daily.trigger.pause_status"),
        ("trigger.file_arrival.wait", 60, "jobs.daily.trigger.file_arrival.wait"),
        ("tasks.0.retries", 2, "jobs.daily.tasks[0].retries"),
        ("tasks.0.python_wheel_task.entrypoint", "e", "jobs.daily.tasks[0].python_wheel_task.entrypoint"),
        ("permissions.0.level", "CAN_DANCE", "jobs.daily.permissions.permission_level"),
        ("permissions.0.group", "people", "jobs.daily.permissions.group"),
    ],
)
def test_a_field_or_value_that_it_does_not_know_is_named(path: str, value: Any, named: str) -> None:
    with pytest.raises(BundleError) as refused:
        check_whole({"jobs": {"daily": changed(JOB, path, value)}})
    assert str(refused.value) == f"the platform's SDK does not know {named}: correct the generator"


def test_a_privilege_that_does_not_exist_is_named() -> None:
    with pytest.raises(BundleError, match=r"schemas.gold.grants.privileges"):
        check_whole({"schemas": {"gold": changed(SCHEMA, "grants.0.privileges", ["SELECT", "ADMIRE"])}})


def test_differences_are_paths() -> None:
    sent = {"a": 1, "b": [{"c": 2}, {"d": 3}], "e": {}}
    assert list(differences(sent, {"a": 1, "b": [{"c": 2}, {"d": 4}], "e": {}})) == [".b[1].d"]
    assert list(differences(sent, {"b": [{"c": 2}]})) == [".a", ".b", ".e"]
