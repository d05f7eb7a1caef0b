import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import requests

from lakehouse_ml.serving.request_log import RequestLog
from registry_builders import make_stores, promote, saved_model
from serving_builders import USE_CASE, answering


def until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.05)


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
