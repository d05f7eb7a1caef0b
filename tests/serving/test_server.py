"""Servers in processes of their own, on loopback, that find no Java."""

import signal
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import mlflow
import pandas as pd
import pytest
import requests
from mlflow.pyfunc.scoring_server.client import ScoringServerClient

from lakehouse_ml.serving.routing import goes_to_challenger
from registry_builders import Stores, make_stores, promote, saved_model, tenth_of_hour
from serving_builders import FEATURES, Server, logged, row

KEYS = [f"key {number}" for number in range(300)]
# The champion's, at a canary of 10 %.
OFTEN = [key for key in KEYS if not goes_to_challenger(key, 10)]


@pytest.fixture(scope="module")
def stores(mlflow_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Stores:
    """Champion 1, and version 2 to be its challenger."""
    found = make_stores(mlflow_template, tmp_path_factory.mktemp("stores"))
    promote(found, saved_model(found, "first"))
    found.registry.register(saved_model(found, "second", threshold=0.2), {}, "card")
    return found


@pytest.fixture(scope="module")
def server(stores: Stores, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server whose challenger scores a tenth of the keys."""
    started = Server(stores.address, tmp_path_factory.mktemp("landing"), percent=10, challenger="2")
    yield started
    started.stop()


class Load:
    """Clients that ask without a pause until they are told to stop, or are refused a connection."""

    def __init__(self, server: Server, clients: int = 3) -> None:
        self.answers: list[dict[str, Any]] = []
        self.failures: list[str] = []
        self._server, self._is_over = server, threading.Event()
        self._pool = ThreadPoolExecutor(clients)
        self._clients = [self._pool.submit(self._ask, client) for client in range(clients)]

    def _ask(self, client: int) -> None:
        with requests.Session() as session:
            number = 0
            while not self._is_over.is_set():
                number += 1
                try:
                    answer = self._server.post(
                        row(OFTEN[client]), session=session, client_request_id=f"{client}-{number}"
                    )
                except requests.ConnectionError as error:
                    self.failures.append(repr(error))
                    return
                (self.answers if answer.ok else self.failures).append(answer.json())

    def until(self, condition: Callable[[], bool]) -> None:
        end = time.monotonic() + 30
        while not condition():
            assert time.monotonic() < end
            time.sleep(0.02)

    def stop(self) -> None:
        self._is_over.set()
        for client in self._clients:
            client.result()
        self._pool.shutdown()

    @property
    def request_ids(self) -> set[str]:
        return {answer["request_id"] for answer in self.answers}

    @property
    def newest_version(self) -> str:
        return self.answers[-1]["predictions"][0]["model_version"] if self.answers else ""


def test_mlflows_own_client_gets_predictions(server: Server) -> None:
    client = ScoringServerClient("127.0.0.1", server.port)
    client.ping()
    assert client.get_version() == mlflow.__version__
    frame = pd.DataFrame([row("a"), row("b", hour=4.5, wind_kn=None)])
    found = client.invoke(frame.drop(columns="wind_kn").assign(wind_kn=[7.5, 1.0])).get_predictions()
    assert found["key"].tolist() == ["a", "b"]
    assert (
        found["score"].tolist()
        == tenth_of_hour().predict(pd.DataFrame({"hour": [3, 4.5], "wind_kn": [7.5, 1]})).tolist()
    )


def test_an_answer_tells_request_version_score_and_decision(server: Server) -> None:
    rows = (row(OFTEN[0], hour=5.0), row(OFTEN[1], hour=3.0))
    answer = server.post(*rows, client_request_id="mine").json()
    assert answer["client_request_id"] == "mine"
    assert len(answer["request_id"]) == 32
    by = {"threshold": 0.4, "model_version": "1", "role": "champion"}
    assert answer["predictions"] == [
        {"key": OFTEN[0], "score": pytest.approx(0.5), "decision": True, **by},
        {"key": OFTEN[1], "score": pytest.approx(0.3), "decision": False, **by},
    ]


def test_a_tenth_of_the_keys_goes_to_the_challenger_and_always_the_same(server: Server) -> None:
    answers = [server.post(*(row(key) for key in keys)).json() for keys in (KEYS, KEYS[::-1])]
    roles = [
        {one["key"]: (one["role"], one["model_version"], one["threshold"]) for one in answer["predictions"]}
        for answer in answers
    ]
    assert roles[0] == roles[1]
    assert [one["key"] for one in answers[0]["predictions"]] == KEYS
    wanted = {
        key: ("challenger", "2", 0.2) if goes_to_challenger(key, 10) else ("champion", "1", 0.4)
        for key in KEYS
    }
    assert roles[0] == wanted
    assert 10 < sum(role == "challenger" for role, _, _ in wanted.values()) < 60


def send(
    server: Server, content: bytes | Iterator[bytes], kind: str = "application/json", **headers: str
) -> requests.Response:
    return requests.post(
        f"{server.url}/invocations", data=content, headers={"Content-Type": kind, **headers}, timeout=20
    )


def parts() -> Iterator[bytes]:
    """A body without Content-Length that is larger than allowed."""
    yield from [b" " * 10_000] * 11


def records(**values: Any) -> bytes:
    return requests.Request("POST", "http://a", json={"dataframe_records": [row(**values)]}).prepare().body


@pytest.mark.parametrize(
    ("ask", "status", "told"),
    [
        (lambda server: send(server, b"{garbage"), 400, "no JSON in UTF-8"),
        (lambda server: send(server, records(gates=10.5)), 400, "gates: must be int, is 10.5 in row 1"),
        (lambda server: send(server, records(hour=None)), 400, "hour: must be double, is null"),
        (lambda server: send(server, records(speed=1)), 400, "speed: unknown"),
        (lambda server: send(server, b'{"dataframe_records": [{"key": "a"}]}'), 400, "hour: missing; wind_kn: missing"),
        (lambda server: send(server, b" " * 100_001), 413, "more than 100,000 bytes, which is the limit: send"),
        (lambda server: send(server, parts()), 413, "more than 100,000 bytes"),
        (lambda server: send(server, b"a,b", "text/csv"), 415, "must be application/json"),
        (lambda server: send(server, b"{}", **{"Content-Encoding": "gzip"}), 415, "without Content-Encoding"),
        (lambda server: send(server, b""), 400, "no JSON"),
        (lambda server: send(server, b'{"\\ud800": 1}'), 400, "The body has \\ud800. Send one of"),
    ],
)  # fmt: skip
def test_each_broken_request_is_refused_by_name(
    server: Server, ask: Callable[[Server], requests.Response], status: int, told: str
) -> None:
    answer = ask(server)
    assert answer.status_code == status, answer.text
    assert told in answer.json()["message"]
    assert answer.json()["error_code"]


def test_a_score_that_is_no_probability_is_an_error_and_no_answer(server: Server) -> None:
    answer = server.post(row("odd", hour=11.0))
    assert answer.status_code == 500
    assert answer.json()["message"].startswith("No probability for odd: its score is 1.")


def test_a_moved_alias_is_picked_up_under_load_and_no_request_fails(stores: Stores, server: Server) -> None:
    load = Load(server)
    load.until(lambda: load.newest_version == "1")
    promote(stores, saved_model(stores, "third"))
    load.until(lambda: load.newest_version == "3")
    changed = stores.registry.register(saved_model(stores, "fourth"), {}, "card").version
    stores.client.set_model_version_tag(stores.registry.name, changed, "digest", "0" * 64)
    stores.registry.point(changed)
    load.until(lambda: bool(server.ping()["faults"]))
    answered = len(load.answers)
    load.until(lambda: len(load.answers) > answered + 20)
    load.stop()
    assert load.failures == []
    assert load.newest_version == "3"
    assert "version 4: its files have digest" in server.ping()["faults"][0]
    stores.registry.point("3")
    load.until(lambda: server.ping()["faults"] == [])


def test_no_answered_row_is_lost_by_a_kill_or_a_stop_amid_requests(stores: Stores, tmp_path: Path) -> None:
    killed = Server(stores.address, tmp_path)
    first = Load(killed)
    first.until(lambda: len(first.answers) > 50)
    killed.stop(signal.SIGKILL)
    first.stop()
    assert logged(tmp_path / "requests") == []
    stopped = Server(stores.address, tmp_path)
    assert first.request_ids <= {one["request_id"] for one in logged(tmp_path / "requests")}
    second = Load(stopped)
    second.until(lambda: len(second.answers) > 50)
    said = stopped.stop()
    second.stop()
    assert "which a killed server had left open" in said
    # Connections that the server closed: no answer was an error.
    assert all("ConnectionError" in str(failure) for failure in second.failures)
    rows = logged(tmp_path / "requests")
    assert first.request_ids | second.request_ids <= {one["request_id"] for one in rows}
    assert len({one["request_id"] for one in rows}) == len(rows)
    restricted = {column.name for column in FEATURES if column.privacy == "restricted"}
    assert all(set(one["features"]) == {column.name for column in FEATURES} - restricted for one in rows)
    assert [path.name for path in (tmp_path / "requests").glob(".*")] == [".lock"]
