import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import requests

from lakehouse_ml.serving import request_log
from lakehouse_ml.serving.request_log import RequestLog
from registry_builders import make_stores, promote, saved_model
from serving_builders import USE_CASE, answering, row


def until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.05)


def refused(log: RequestLog, *records: Any) -> None:
    raise OSError(28, "No space left on device")


def test_a_log_that_cannot_be_written_is_told_by_ping_until_it_can(
    mlflow_template: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    stores = make_stores(mlflow_template, tmp_path)
    promote(stores, saved_model(stores, "first"))
    with answering(USE_CASE, stores.registry, tmp_path / "landing") as url:

        def ask() -> int:
            body = {"dataframe_records": [row()]}
            return requests.post(f"{url}/invocations", json=body, timeout=20).status_code

        with monkeypatch.context() as full:
            full.setattr(RequestLog, "append", refused)
            assert ask() == 503
            (fault,) = requests.get(f"{url}/ping", timeout=20).json()["faults"]
            assert "the request log cannot be written: [Errno 28] No space left" in fault
            until(lambda: "No space left" in caplog.text)
        assert ask() == 200
        assert requests.get(f"{url}/ping", timeout=20).json()["faults"] == []


def test_what_a_killed_server_left_keeps_no_server_from_starting_and_lands_when_it_can(
    mlflow_template: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stores = make_stores(mlflow_template, tmp_path)
    promote(stores, saved_model(stores, "first"))
    left, other = (
        tmp_path / f"landing/requests/.2026-03-01T12-{name}-0.jsonl" for name in ("killed", "other")
    )
    left.parent.mkdir(parents=True)
    for file in (left, other):
        file.write_text('{"n": 1}\n')

    def land(path: Path) -> None:
        if path == left:
            raise OSError(28, "No space left on device")
        request_log._land(path)

    with monkeypatch.context() as full:
        full.setattr(request_log, "_take_over", lambda path: land(path) is None)
        with answering(USE_CASE, stores.registry, tmp_path / "landing") as url:
            assert "No space left" in str(requests.get(f"{url}/ping", timeout=20).json()["faults"])
            assert [file.name for file in left.parent.glob("*.gz")] == ["2026-03-01T12-other-0.jsonl.gz"]
            full.undo()
            until(lambda: requests.get(f"{url}/ping", timeout=20).json()["faults"] == [])
    assert len([*left.parent.glob("*.gz")]) == 2


def test_an_error_that_nobody_foresaw_is_told_in_the_same_form(
    mlflow_template: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stores = make_stores(mlflow_template, tmp_path)
    promote(stores, saved_model(stores, "first"))

    def overflow(*_: Any) -> None:
        raise ValueError("too large")

    monkeypatch.setattr("lakehouse_ml.serving.service.predictions", overflow)
    with answering(USE_CASE, stores.registry, tmp_path / "landing") as url:
        answer = requests.post(f"{url}/invocations", json={"dataframe_records": [row()]}, timeout=20)
    assert (answer.status_code, answer.json()["message"]) == (500, "too large")


def test_an_error_of_any_kind_is_logged_and_told_by_ping_and_the_alias_is_followed_on(
    mlflow_template: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    stores = make_stores(mlflow_template, tmp_path)
    promote(stores, saved_model(stores, "first"))

    def torn(log: RequestLog) -> None:
        raise ValueError("torn")

    with answering(USE_CASE, stores.registry, tmp_path / "landing") as url:

        def ping() -> dict[str, Any]:
            return requests.get(f"{url}/ping", timeout=20).json()

        assert ping()["faults"] == []
        with monkeypatch.context() as broken:
            broken.setattr(RequestLog, "land_due", torn)
            until(lambda: ping()["faults"] == ["ValueError('torn')"])
            promote(stores, saved_model(stores, "second"))
            until(lambda: ping()["champion"]["model_version"] == "2")
        until(lambda: ping()["faults"] == [])
    assert "ValueError: torn" in caplog.text
