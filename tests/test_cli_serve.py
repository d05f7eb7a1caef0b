"""`kedro serve` as a user starts it, on a registry of its own."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import mlflow
import numpy as np
import pandas as pd
import pytest
import requests
from click.testing import CliRunner
from kedro.framework.startup import bootstrap_project
from mlflow.models import infer_signature
from sklearn.linear_model import LinearRegression

from lakehouse_ml.cli import cli
from lakehouse_ml.flights import USE_CASE
from lakehouse_ml.model_files import model_digest
from lakehouse_ml.registry import LoggedModel, Registry
from processes import ROOT, project_at
from registry_builders import METADATA
from serving_builders import logged

pytestmark = pytest.mark.slow


@pytest.fixture
def project(tmp_path: Path, mlflow_template: Path) -> Path:
    """A project without a model."""
    folder = project_at(tmp_path / "project")
    shutil.copy(ROOT / "pyproject.toml", folder)
    (folder / "src").mkdir()
    (folder / "data/mlflow").mkdir(parents=True)
    for name in ("registry", "test"):
        shutil.copy(mlflow_template / "store.db", folder / f"data/mlflow/{name}.db")
    return folder


def serve(project: Path, *options: str) -> "subprocess.Popen[str]":
    command = [sys.executable, "-m", "kedro", "serve", "--env=test", *options]
    told = {"DO_NOT_TRACK": "1", "PYTHONPATH": os.pathsep.join(sys.path), "COLUMNS": "200"}
    return subprocess.Popen(
        command,
        cwd=project,
        env={**os.environ, **told},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def test_on_databricks_the_server_is_refused_with_what_serves_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LAKEHOUSE_ML_PLATFORM", "databricks")
    refused = CliRunner().invoke(cli, ["serve", "--env=test"], obj=bootstrap_project(ROOT))
    assert refused.exit_code == 1
    assert "Model Serving serves a version" in refused.output


def promote(project: Path) -> None:
    """A champion whose score is a twenty-fourth of the hour of departure."""
    frame = pd.DataFrame({"departure_hour": np.arange(24.0), "distance_miles": 100.0})
    model = LinearRegression().fit(frame, frame["departure_hour"] / 24)
    described = {"signature": infer_signature(frame, np.array([0.5])), "metadata": METADATA}
    mlflow.sklearn.save_model(
        model, project / "model", serialization_format="skops", pip_requirements=["mlflow"], **described
    )
    stores = [f"sqlite:///{project}/data/mlflow/{name}.db" for name in ("registry", "test")]
    registry = Registry(f"test.ml.{USE_CASE.model_name}", *stores)
    logged_model = LoggedModel(str(project / "model"), model_digest(project / "model"), "run")
    registry.point(registry.register(logged_model, {}, "card").version)


def flight(key: str, hour: float) -> dict[str, object]:
    """A row of which most features are missing."""
    return {
        "key": key,
        **dict.fromkeys(USE_CASE.feature_names),
        "departure_hour": hour,
        "distance_miles": 100.0,
    }


def lose_and_restore(project: Path, url: str) -> None:
    """Put another file in the registry's place, and then a copy of it, as a restore does; ping tells of each."""
    registry, copy = project / "data/mlflow/registry.db", project / "copy.db"
    shutil.copy(registry, copy)
    for file, is_well in ((project / "model/MLmodel", False), (copy, True)):
        shutil.copy(file, project / "new.db")
        os.replace(project / "new.db", registry)
        until = time.monotonic() + 60
        while (requests.get(f"{url}/ping", timeout=5).json()["faults"] == []) is not is_well:
            assert time.monotonic() < until
            time.sleep(0.1)


def test_the_champion_answers_until_it_is_told_to_stop_and_the_log_lands(project: Path) -> None:
    promote(project)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    server = serve(project, "--port", str(port))
    url, until = f"http://127.0.0.1:{port}", time.monotonic() + 90
    while True:
        try:
            requests.get(f"{url}/ping", timeout=5)
            break
        except requests.ConnectionError:
            assert server.poll() is None, server.communicate()[0]
            assert time.monotonic() < until
            time.sleep(0.1)
    lose_and_restore(project, url)
    said = {"dataframe_records": [flight("UA1", 6.0), flight("UA2", 18.0)]}
    answer = requests.post(f"{url}/invocations", json=said, timeout=20).json()
    server.send_signal(signal.SIGTERM)
    output = server.communicate(timeout=60)[0]
    assert [one["score"] for one in answer["predictions"]] == pytest.approx([0.25, 0.75])
    assert f"Scoring by version 1 at {url}" in output
    landed = logged(project / "data/01_raw/test/requests")
    assert [(one["key"], one["request_id"]) for one in landed] == [
        ("UA1", answer["request_id"]),
        ("UA2", answer["request_id"]),
    ]


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (("--challenger", "2"), "--challenger goes with --canary"),
        (("--canary", "101"), "101"),
    ],
)
def test_options_that_make_no_canary_are_refused(options: tuple[str, ...], told: str) -> None:
    done = CliRunner().invoke(cli, ["serve", *options], obj=bootstrap_project(ROOT))
    assert done.exit_code != 0
    assert told in done.output
