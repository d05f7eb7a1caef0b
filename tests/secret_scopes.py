"""The part of a workspace that gives secrets away, on loopback."""

import base64
import json
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlparse

from servers import at_work

TOKEN = "a-token-of-the-workspace"


class Workspace(ThreadingHTTPServer):
    """Answers ``GET /api/2.0/secrets/get`` as Databricks does; a value of None may not be read."""

    daemon_threads = True

    def __init__(self, scopes: dict[str, dict[str, str | None]]) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.scopes = scopes
        self.asked: list[str] = []

    @property
    def host(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class Handler(BaseHTTPRequestHandler):
    server: Workspace

    def do_GET(self) -> None:
        address = urlparse(self.path)
        self.server.asked.append(self.path)
        if address.path != "/api/2.0/secrets/get":
            self._answer(404, {"error_code": "ENDPOINT_NOT_FOUND", "message": address.path})
            return
        asked = {name: values[0] for name, values in parse_qs(address.query).items()}
        keys = self.server.scopes.get(asked["scope"], {})
        if self.headers["Authorization"] != f"Bearer {TOKEN}" or keys.get(asked["key"], "") is None:
            self._answer(403, {"error_code": "PERMISSION_DENIED", "message": f"no READ on {asked['scope']}"})
        elif asked["key"] not in keys:
            self._answer(404, {"error_code": "RESOURCE_DOES_NOT_EXIST", "message": f"no {asked['key']}"})
        else:
            value = base64.b64encode(str(keys[asked["key"]]).encode()).decode()
            self._answer(200, {"key": asked["key"], "value": value})

    def _answer(self, status: int, body: dict[str, str]) -> None:
        content = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        """Silence."""


@contextmanager
def workspace(scopes: dict[str, dict[str, str | None]]) -> Iterator[Workspace]:
    """A workspace at work."""
    server = Workspace(scopes)
    with at_work(server):
        yield server
