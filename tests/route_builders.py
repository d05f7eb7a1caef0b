"""Messages about alerts, and a server on loopback that receives them."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from servers import at_work

SECRET = "t0ken-of-the-receiver"  # pragma: allowlist secret


def message(identity: str = "a-1", **changes: Any) -> dict[str, Any]:
    """A source that stopped, as routes are told of it."""
    return {
        "id": identity, "environment": "test", "alert_id": identity.partition("-")[0], "sequence": 1, "event": "opened",
        "rule": "freshness", "severity": "critical", "subject": "weather",
        "reason": "weather: newest data is 96 h old (at most 30 h)", "evidence": "at most 30 h",
        "owner": "data engineering", "opened_at": "2013-10-01T00:00:00Z", "runs": 1, "run_id": "run-1",
        "as_of": "2013-10-01T00:00:00Z", **changes,
    }  # fmt: skip


class Receiver(ThreadingHTTPServer):
    """Answers each call with the next of its answers, then with 200; a number below 1 is a pause in seconds first."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.answers: list[float] = []
        self.calls: list[dict[str, Any]] = []

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/hooks/{SECRET}"


class Handler(BaseHTTPRequestHandler):
    server: Receiver

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.calls.append({"path": self.path, "body": body, "headers": dict(self.headers)})
        answer = self.server.answers.pop(0) if self.server.answers else 200
        if answer < 1:
            time.sleep(answer)
        self.send_response(200 if answer < 1 else int(answer))
        # A receiver that asks for an hour, and one that sends elsewhere.
        self.send_header("Retry-After", "3600")
        self.send_header("Location", "http://127.0.0.1:9/elsewhere")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Silence."""


@contextmanager
def listening() -> Iterator[Receiver]:
    """A receiver at work."""
    server = Receiver()
    with at_work(server):
        yield server
