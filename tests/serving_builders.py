"""A use case whose feature contracts have every type, and servers of it in processes of their own."""

import gzip
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import requests
import uvicorn

from lakehouse_ml.datasets import ModelRegistry
from lakehouse_ml.lakehouse.contract import Column, Contract
from lakehouse_ml.registry import Registry
from lakehouse_ml.serving.app import create_app
from lakehouse_ml.serving.params import ServingParams
from lakehouse_ml.serving.request_log import RequestLog
from lakehouse_ml.serving.server import serve
from lakehouse_ml.serving.service import ScoringService
from lakehouse_ml.serving.versions import Versions
from lakehouse_ml.use_case import UseCase

KEY = Column("key", "string", "Key")
FEATURES = (
    Column("hour", "double", "Hour"),
    Column("wind_kn", "double", "Wind", required=False),
    Column("carrier", "string", "Carrier", required=False),
    Column("gates", "int", "Gates"),
    Column("seats", "bigint", "Seats", required=False),
    Column("is_wet", "boolean", "Wet"),
    Column("pilot", "string", "Pilot", privacy="restricted"),
)
USE_CASE: Any = SimpleNamespace(
    spine=SimpleNamespace(contract=Contract("gold.flights", "flight", ("key",), (KEY,))),
    families=(SimpleNamespace(contract=Contract("gold.sky", "flight", ("key",), (KEY, *FEATURES))),),
    feature_names=tuple(column.name for column in FEATURES),
)
PARAMS = {
    "host": "127.0.0.1",
    "poll_seconds": 0.1,
    "request_mb_max": 0.1,
    "threads": 2,
    "log_file_mb": 1,
    "drain_seconds": 20,
}


def row(key: str = "a", **values: Any) -> dict[str, Any]:
    """One row as a request carries it."""
    usual = {"hour": 3.0, "wind_kn": 7.5, "carrier": "UA", "gates": 2, "seats": 180, "is_wet": False}
    return {"key": key, **usual, "pilot": "Ann", **values}


class Server:
    """A server in a process of its own that finds no Java."""

    def __init__(self, address: Mapping[str, str], landing: Path, **canary: Any) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        told = {"address": dict(address), "landing": str(landing), "port": self.port, "canary": canary}
        paths = os.pathsep.join([str(Path(__file__).parent), *sys.path])
        without_java = {"PATH": "/nowhere", "JAVA_HOME": "/nowhere", "PYTHONPATH": paths}
        self.process = subprocess.Popen(
            [sys.executable, __file__, json.dumps(told)],
            env={**os.environ, **without_java},
            stderr=subprocess.PIPE,
            text=True,
        )
        self._wait()

    def _wait(self) -> None:
        until = time.monotonic() + 60
        while time.monotonic() < until and self.process.poll() is None:
            try:
                assert self.ping()
                return
            except requests.ConnectionError:
                time.sleep(0.05)
        self.process.kill()
        raise AssertionError(self.process.communicate()[1])

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def ping(self) -> dict[str, Any]:
        return requests.get(f"{self.url}/ping", timeout=20).json()

    def post(self, *rows: Mapping[str, Any], session: Any = requests, **more: Any) -> requests.Response:
        said = {"dataframe_records": rows, **more}
        return session.post(f"{self.url}/invocations", json=said, timeout=20)

    def stop(self, by: signal.Signals = signal.SIGTERM) -> str:
        """End the process; what it said."""
        self.process.send_signal(by)
        return self.process.communicate(timeout=60)[1]


@contextmanager
def answering(use_case: UseCase, registry: Registry, landing: Path) -> Iterator[str]:
    """A server in a thread, of any use case; its address."""
    log = RequestLog(landing / "requests", "test", lambda: datetime.now(UTC), 1)
    service = ScoringService(use_case, Versions(registry, use_case.feature_names), log)
    params = ServingParams(**{**PARAMS, "request_mb_max": 16, "port": 0})
    server = uvicorn.Server(uvicorn.Config(create_app(service, params), port=0, log_config=None))
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        assert thread.is_alive()
        time.sleep(0.01)
    try:
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join()


def logged(folder: Path) -> list[dict[str, Any]]:
    """Every record that landed."""
    files = (gzip.decompress(file.read_bytes()) for file in sorted(folder.glob("*.jsonl.gz")))
    return [json.loads(line) for content in files for line in content.splitlines()]


def main(told: Mapping[str, Any]) -> None:
    """The process of a :class:`Server`."""
    registry = ModelRegistry(**told["address"]).load()
    versions = Versions(registry, USE_CASE.feature_names, **told["canary"])
    serve(USE_CASE, versions, Path(told["landing"]), ServingParams(**PARAMS, port=told["port"]))


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
