"""The loop as on serverless compute: over Spark Connect, on three-level names, with a workspace's registry.

The client has no JVM, and the executor is a process of its own: nothing can lean on the memory or code of the driver.
"""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest

from connect_server import Server, connect_server
from lakehouse_ml.flights.feed import feed_records, feed_window, publish
from processes import ROOT, finish, project_at, small_spark, start_run

pytestmark = pytest.mark.loop

# One executor with one core and 1,024 MB.
CLUSTER = "local-cluster[1,1,1024]"
PROCESSES = """
import json, os, subprocess, sys
import pandas as pd
from lakehouse_ml.datasets.session import configure_spark, get_spark

def parents(batches):
    pids = [os.getppid()]
    while pids[-1] > 1:
        told = subprocess.run(["ps", "-o", "ppid=", "-p", str(pids[-1])], capture_output=True, text=True)
        pids.append(int(told.stdout))
    for batch in batches:
        yield pd.DataFrame({"pids": [json.dumps(pids)]})

configure_spark({"spark.remote": sys.argv[1]})
print(get_spark().range(1).mapInPandas(parents, "pids string").collect()[0]["pids"])
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("server")
    conf = {**small_spark(folder / "warehouse"), "spark.master": CLUSTER, "spark.executor.memory": "1g"}
    with connect_server(conf, folder) as running:
        yield running


def said_by(*command: str, **variables: str) -> str:
    """What a Python process says, which must succeed."""
    told = {**os.environ, **variables}
    done = subprocess.run(
        [sys.executable, *command], cwd=ROOT, env=told, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-3000:]
    return done.stdout


def test_python_works_under_an_executor_that_is_not_the_server(server: Server) -> None:
    parents = json.loads(said_by("-c", PROCESSES, server.address))
    # The worker's parents: its daemon, the executor, and the worker of the cluster, which is a thread of the server.
    assert server.pid in parents[2:]
    assert server.pid not in parents[:2]


def test_the_loop_does_on_the_other_platform_what_it_does_on_a_laptop(server: Server) -> None:
    """The tests of the toy use case, from landing files to the page of the second day, in a process without a JVM."""
    tests = ("-m", "pytest", "-p", "no:cacheprovider", "--remote", server.address, "tests/test_toy.py")
    # These run stages of the loop once more.
    once = ("-k", "not after_a_kill and not ingested and not served")
    said = said_by(*tests, *once, LAKEHOUSE_ML_PLATFORM="databricks")
    assert "passed" in said
    assert "skipped" not in said


def test_a_run_with_its_hooks_needs_a_server_and_no_java_of_its_own(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Flights: their features are made in Python, on the executor."""
    project = project_at(tmp_path / "project", {"spark.master": None, "spark.remote": server.address})
    records = feed_records()
    window = feed_window(records, None, pd.Timestamp("2013-01-02", tz="UTC"), "day")
    list(publish(records, project / "data/01_raw/test", window, None))
    monkeypatch.setenv("PATH", str(tmp_path / "without-java"))
    finish(start_run(project, "--pipelines", "ingestion,feature_engineering"))
    tables = project / "data/lakehouse/test"
    assert len(pd.read_parquet(tables / "gold/features", partitioning=None)) > 500
    assert "run finished" in set(pd.read_parquet(tables / "ops/event_log")["message"])
