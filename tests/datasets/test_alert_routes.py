"""Messages go each route once; what a route does not take waits."""

import json
import logging
from pathlib import Path
from typing import Any

import pytest
from kedro.io import DataCatalog, DatasetError
from kedro.pipeline import Node, Pipeline

from lakehouse_ml.datasets import AlertRoutes
from lakehouse_ml.deploy.secrets import Secret, SecretError
from lakehouse_ml.hooks import AlertRouteHooks
from route_builders import SECRET, listening, message

ADDRESS = Secret("test", "alert-webhook")
WEBHOOK = {"address": ADDRESS, "timeout_seconds": 0.2, "retries": 0, "backoff_seconds": 0}
NOWHERE = "http://127.0.0.1:9/t0ken"


class Routes:
    """An environment's routes, made anew for each run as a catalog does."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def made(self, *names: str) -> AlertRoutes:
        files = {"file": str(self.folder / "alerts.jsonl"), "told": str(self.folder / "state" / "told.json")}
        return AlertRoutes(environment="dev", routes=names or ("file",), webhook=WEBHOOK, **files)

    def told(self) -> list[str]:
        path = self.folder / "alerts.jsonl"
        return [json.loads(line)["id"] for line in path.read_text().splitlines()] if path.exists() else []


@pytest.fixture
def routes(tmp_path: Path) -> Routes:
    return Routes(tmp_path)


def test_a_message_is_told_once_however_often_it_is_saved(routes: Routes) -> None:
    routes.made().save([message("a-1")])
    routes.made().save([message("a-1"), message("b-1")])
    assert routes.told() == ["a-1", "b-1"]
    assert '"environment": "dev"' in (routes.folder / "alerts.jsonl").read_text()


def test_nothing_is_written_when_there_is_nothing_to_tell(routes: Routes) -> None:
    routes.made().save([])
    assert list(routes.folder.iterdir()) == []
    routes.made().save([message("a-1")])
    record = routes.folder / "state" / "told.json"
    written = record.stat().st_mtime_ns
    routes.made().save([message("a-1")])
    assert record.stat().st_mtime_ns == written


def test_the_record_keeps_only_what_could_still_be_told(routes: Routes) -> None:
    routes.made().save([message("a-1")])
    routes.made().save([message("b-1")])
    assert routes.made().load() == {"file": ["b-1"]}


def test_a_route_that_fails_stops_no_other_and_is_told_next_time(
    routes: Routes, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("TEST_ALERT_WEBHOOK", NOWHERE)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    caplog.set_level(logging.WARNING)
    routes.made("webhook", "file", "log").save([message("a-1")])
    assert "messages about alerts that wait for the next run: 1; route webhook" in caplog.text
    assert "t0ken" not in caplog.text
    assert routes.made().load() == {"file": ["a-1"], "log": ["a-1"]}
    assert routes.told() == ["a-1"]


def test_what_a_receiver_did_not_take_is_delivered_by_the_next_run(
    routes: Routes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with listening() as receiver:
        monkeypatch.setenv("TEST_ALERT_WEBHOOK", receiver.address)
        receiver.answers = [500]
        routes.made("webhook").save([message("a-1")])
        assert routes.made("webhook").load() == {}
        routes.made("webhook").save([message("a-1"), message("b-1")])
        routes.made("webhook").save([message("a-1"), message("b-1")])
    told = [[alert["id"] for alert in json.loads(call["body"])["alerts"]] for call in receiver.calls]
    assert told == [["a-1"], ["a-1", "b-1"]]
    written = "".join(path.read_text() for path in routes.folder.rglob("*") if path.is_file())
    assert SECRET not in written
    assert routes.made("webhook").load() == {"webhook": ["a-1", "b-1"]}


def test_a_kill_between_telling_and_recording_tells_again_with_the_same_id(
    routes: Routes, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(*_: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(AlertRoutes, "_record", killed)
        with pytest.raises(KeyboardInterrupt):
            routes.made().save([message("a-1")])
    routes.made().save([message("a-1")])
    assert routes.told() == ["a-1", "a-1"]


def test_a_route_that_does_not_exist_is_named_with_those_that_do(routes: Routes) -> None:
    with pytest.raises(DatasetError, match="alert_routes names pager; there are file, log, webhook"):
        routes.made("file", "pager").save([message("a-1")])
    assert routes.told() == []


def start_run(catalog: DataCatalog, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TEST_ALERT_WEBHOOK", raising=False)
    pipeline = Pipeline([Node(list, "events", "alert_messages", name="tell_alerts")])
    AlertRouteHooks().before_pipeline_run(pipeline=pipeline, catalog=catalog)


def test_a_run_does_not_start_without_the_address_that_it_would_need(
    routes: Routes, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(
        SecretError, match="secret test/alert-webhook is not set: set environment variable TEST_"
    ):
        start_run(DataCatalog({"alert_messages": routes.made("log", "webhook")}), monkeypatch)
    start_run(DataCatalog({"alert_messages": routes.made("log", "file")}), monkeypatch)
