"""A server on loopback that plays a workspace's jobs API, as far as starting runs goes."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from servers import at_work


@dataclass
class Workspace:
    """What was asked of it, and what it started.

    Attributes:
        jobs: Numbers of the jobs that exist.
        asked: Every request to start one.
        runs: Number of the run by idempotency token.
        host: Address.
    """

    jobs: tuple[int, ...]
    asked: list[dict[str, Any]] = field(default_factory=list)
    runs: dict[str, int] = field(default_factory=dict)
    host: str = ""

    def run_now(self, asked: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        """Status and answer: the same token never starts a second run."""
        self.asked.append(asked)
        if asked["job_id"] not in self.jobs:
            told = f"Job {asked['job_id']} does not exist."
            return 400, {"error_code": "INVALID_PARAMETER_VALUE", "message": told}
        if len(asked["idempotency_token"]) > 64:
            return 400, {"error_code": "INVALID_PARAMETER_VALUE", "message": "token: at most 64 characters"}
        run = self.runs.setdefault(asked["idempotency_token"], 1000 + len(self.runs))
        return 200, {"run_id": run, "number_in_job": run}


@contextmanager
def served(*jobs: int) -> Iterator[Workspace]:
    """A workspace with these jobs."""
    workspace = Workspace(jobs)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._answer(404, {"error_code": "ENDPOINT_NOT_FOUND", "message": self.path})

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            if not self.path.startswith("/api/2.") or not self.path.endswith("/jobs/run-now"):
                self._answer(404, {"error_code": "ENDPOINT_NOT_FOUND", "message": self.path})
            elif self.headers["Authorization"] != "Bearer of-no-use-elsewhere":
                self._answer(401, {"error_code": "UNAUTHENTICATED", "message": "no token"})
            else:
                self._answer(*workspace.run_now(body))

        def _answer(self, status: int, answer: dict[str, Any]) -> None:
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.end_headers()
            self.wfile.write(json.dumps(answer).encode())

        def log_message(self, *_: Any) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    workspace.host = f"http://127.0.0.1:{server.server_port}"
    with at_work(server):
        yield workspace


def login(workspace: Workspace) -> dict[str, str]:
    """Environment variables that lead the SDK there."""
    return {"DATABRICKS_HOST": workspace.host, "DATABRICKS_TOKEN": "of-no-use-elsewhere"}
