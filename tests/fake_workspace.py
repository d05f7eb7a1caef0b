"""A workspace on loopback, for the calls that MLflow and the SDK make: it answers as the API does, and remembers them.

Experiments, runs and logged models are MLflow's own server over SQLite. The registry is Unity Catalog's API: names of
three levels, aliases, no stages, searches without tags. Files are the Files API, over a folder. Serving endpoints take
one update at a time, which is under way until the test ends it.
"""

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import pytest
from flask.testing import FlaskClient

from servers import at_work

TOKEN = "token-of-the-test"
REGISTRY = "/api/2.0/mlflow/unity-catalog"
ENDPOINTS = "/api/2.0/serving-endpoints"
ARTIFACTS = "dbfs:/databricks/mlflow-tracking"
THREE_LEVELS = re.compile(r"[\w-]+\.[\w-]+\.[\w-]+")

Json = dict[str, Any]


class ApiError(Exception):
    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status, self.body = status, {"error_code": code, "message": message}


@dataclass
class UnityCatalog:
    """Registered models and their versions.

    Attributes:
        models: Aliases by model.
        versions: Versions by model, the first one at place 0.
    """

    models: dict[str, dict[str, str]] = field(default_factory=dict)
    versions: dict[str, list[Json]] = field(default_factory=dict)

    def answer(self, verb: str, path: str, asked: Json) -> Json:
        found = {
            "POST registered-models/create": self.create_model,
            "GET registered-models/get": self.get_model,
            "POST registered-models/alias": self.point,
            "GET registered-models/alias": self.aliased,
            "POST model-versions/create": self.create_version,
            "POST model-versions/finalize": self.finalize,
            "GET model-versions/get": self.get_version,
            "PATCH model-versions/update": self.describe,
            "GET model-versions/search": self.search,
            "POST model-versions/set-tag": self.tag,
            "POST model-versions/emit-lineage": lambda _: {},
        }.get(f"{verb} {path}")
        if path.endswith("is-databricks-sdk-models-artifact-repository-enabled"):
            return {"is_databricks_sdk_models_artifact_repository_enabled": True}
        if found is None:
            raise ApiError(404, "ENDPOINT_NOT_FOUND", f"No API found for {verb} {path}")
        return found(asked)

    def create_model(self, asked: Json) -> Json:
        name = asked["name"]
        if not THREE_LEVELS.fullmatch(name):
            raise ApiError(400, "INVALID_PARAMETER_VALUE", f"{name} is no catalog.schema.model")
        if name in self.models:
            raise ApiError(400, "RESOURCE_ALREADY_EXISTS", f"Registered model '{name}' already exists")
        self.models[name], self.versions[name] = {}, []
        return {"registered_model": {"name": name}}

    def get_model(self, asked: Json) -> Json:
        aliases = [{"alias": a, "version": v} for a, v in self._model(asked).items()]
        return {"registered_model": {"name": asked["name"], "aliases": aliases}}

    def create_version(self, asked: Json) -> Json:
        self._model(asked)
        known = {key: asked[key] for key in ("name", "source", "run_id", "description") if key in asked}
        version = str(len(self.versions[asked["name"]]) + 1)
        status = {"version": version, "status": "PENDING_REGISTRATION", "tags": asked.get("tags", [])}
        self.versions[asked["name"]].append(known | status)
        return {"model_version": known | status}

    def finalize(self, asked: Json) -> Json:
        self._version(asked)["status"] = "READY"
        return self.get_version(asked)

    def get_version(self, asked: Json) -> Json:
        return {"model_version": self._version(asked)}

    def describe(self, asked: Json) -> Json:
        self._version(asked)["description"] = asked["description"]
        return self.get_version(asked)

    def tag(self, asked: Json) -> Json:
        version = self._version(asked)
        others = [tag for tag in version["tags"] if tag["key"] != asked["key"]]
        version["tags"] = [*others, {"key": asked["key"], "value": asked["value"]}]
        return {}

    def search(self, asked: Json) -> Json:
        name = re.fullmatch(r"name='(.+)'", asked["filter"])[1]
        return {"model_versions": [{**version, "tags": []} for version in self.versions.get(name, [])]}

    def point(self, asked: Json) -> Json:
        self._version(asked)
        self._model(asked)[asked["alias"]] = asked["version"]
        return {}

    def aliased(self, asked: Json) -> Json:
        aliases = self._model(asked)
        if asked["alias"] not in aliases:
            raise ApiError(404, "RESOURCE_DOES_NOT_EXIST", f"Alias '{asked['alias']}' does not exist")
        return self.get_version(asked | {"version": aliases[asked["alias"]]})

    def _model(self, asked: Json) -> dict[str, str]:
        if asked["name"] not in self.models:
            raise ApiError(
                404, "RESOURCE_DOES_NOT_EXIST", f"Registered model '{asked['name']}' does not exist"
            )
        return self.models[asked["name"]]

    def _version(self, asked: Json) -> Json:
        self._model(asked)
        found = [v for v in self.versions[asked["name"]] if v["version"] == str(asked["version"])]
        if not found:
            raise ApiError(
                404, "RESOURCE_DOES_NOT_EXIST", f"No version {asked['version']} of {asked['name']}"
            )
        return found[0]


@dataclass(frozen=True)
class Files:
    """The Files API over a folder."""

    folder: Path

    def answer(self, verb: str, path: str, content: bytes) -> tuple[int, bytes, dict[str, str]]:
        kind, _, name = path.partition("/")
        if kind not in ("files", "directories"):
            raise ApiError(404, "ENDPOINT_NOT_FOUND", f"No API found for {verb} {path}")
        place = self.folder / name
        if kind == "files" and verb == "PUT":
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(content)
            return 204, b"", {}
        if not (place.is_dir() if kind == "directories" else place.is_file()):
            raise ApiError(404, "NOT_FOUND", f"/{name} does not exist")
        if kind == "directories":
            entries = [self._entry(inner, f"/{name}") for inner in sorted(place.iterdir())]
            return 200, json.dumps({"contents": entries}).encode(), {"Content-Type": "application/json"}
        found = place.read_bytes()
        about = {"Content-Type": "application/octet-stream", "Last-Modified": "Tue, 01 Oct 2013 00:00:00 GMT"}
        return 200, found, about

    def _entry(self, inner: Path, above: str) -> Json:
        about = {"name": inner.name, "path": f"{above}/{inner.name}", "is_directory": inner.is_dir()}
        return about if inner.is_dir() else about | {"file_size": inner.stat().st_size}


@dataclass
class ServingEndpoints:
    """Endpoints of Model Serving.

    Attributes:
        found: What is told of each, by name.
        refused: Status, code and message of every change, while it is set.
    """

    found: dict[str, Json] = field(default_factory=dict)
    refused: tuple[int, str, str] | None = None

    def answer(self, verb: str, path: str, asked: Json) -> Json:
        name, _, part = path.partition("/")
        known = {"POST ": self.create, "GET ": self.get, "PUT config": self.update}.get(f"{verb} {part}")
        if known is None or (verb == "POST") != (not name):
            raise ApiError(404, "ENDPOINT_NOT_FOUND", f"No API found for {verb} serving-endpoints/{path}")
        if verb != "GET" and self.refused:
            raise ApiError(*self.refused)
        return known(name or asked["name"], asked)

    def get(self, name: str, _: Json) -> Json:
        if name not in self.found:
            raise ApiError(404, "RESOURCE_DOES_NOT_EXIST", f"Endpoint with name '{name}' does not exist.")
        return self.found[name]

    def create(self, name: str, asked: Json) -> Json:
        if not re.fullmatch(r"[\w-]{1,63}", name):
            raise ApiError(400, "INVALID_PARAMETER_VALUE", f"{name} is no name of an endpoint")
        if name in self.found:
            raise ApiError(400, "RESOURCE_ALREADY_EXISTS", f"Endpoint with name '{name}' already exists.")
        self._check(asked["config"])
        about = {"name": name, "id": f"id-of-{name}", "tags": asked.get("tags", [])}
        self.found[name] = about | self._under_way(asked["config"], "NOT_READY")
        return self.found[name]

    def update(self, name: str, asked: Json) -> Json:
        endpoint = self.get(name, {})
        if endpoint["state"]["config_update"] == "IN_PROGRESS":
            told = f"Endpoint {name} is currently being updated to a new configuration. Please wait."
            raise ApiError(409, "RESOURCE_CONFLICT", told)
        self._check(asked)
        endpoint.update(self._under_way(asked, endpoint["state"]["ready"]))
        return endpoint

    def _check(self, config: Json) -> None:
        for entity in config["served_entities"]:
            if "scale_to_zero_enabled" not in entity:
                raise ApiError(400, "INVALID_PARAMETER_VALUE", "scaleToZeroEnabled is undefined.")
            if not THREE_LEVELS.fullmatch(entity["entity_name"]):
                raise ApiError(400, "INVALID_PARAMETER_VALUE", f"{entity['entity_name']} is no model")
        routes = {r["served_model_name"]: r["traffic_percentage"] for r in config["traffic_config"]["routes"]}
        if {*routes} != {e["name"] for e in config["served_entities"]} or sum(routes.values()) != 100:
            raise ApiError(400, "INVALID_PARAMETER_VALUE", f"routes {routes} are not those of the entities")

    def _under_way(self, config: Json, ready: str) -> Json:
        pending = {part: config[part] for part in ("served_entities", "traffic_config")}
        return {"pending_config": pending, "state": {"config_update": "IN_PROGRESS", "ready": ready}}

    def end_update(self, name: str, *, came_up: bool = True) -> None:
        """The minutes are over: what was asked for is served, or what was there before still is."""
        endpoint = self.found[name]
        pending = endpoint.pop("pending_config")
        if came_up:
            endpoint["config"] = pending
        ready = "READY" if "config" in endpoint else "NOT_READY"
        # A first version that does not come up is the endpoint's all the same.
        endpoint.setdefault("config", pending)
        endpoint["state"] = {"config_update": "NOT_UPDATING" if came_up else "UPDATE_FAILED", "ready": ready}

    def served(self, name: str) -> list[tuple[str, str]]:
        """Model and version of all that answers."""
        entities = self.found[name]["config"]["served_entities"] if "config" in self.found[name] else []
        return [(entity["entity_name"], entity["entity_version"]) for entity in entities]


@dataclass
class Workspace:
    """What a workspace holds, and what it was asked.

    Attributes:
        address: ``http://127.0.0.1:<port>``.
        files: Content of the Files API.
        tracking: MLflow's own server.
        registry: Content of the registry.
        endpoints: Serving endpoints.
        calls: ``<verb> <path>`` and body of every call, in order.
    """

    address: str
    files: Files
    tracking: FlaskClient
    registry: UnityCatalog = field(default_factory=UnityCatalog)
    endpoints: ServingEndpoints = field(default_factory=ServingEndpoints)
    calls: list[tuple[str, Json]] = field(default_factory=list)

    def asked(self, call: str) -> list[Json]:
        """Bodies of the calls of an endpoint."""
        return [body for name, body in self.calls if name == call]

    def endpoint_calls(self) -> list[str]:
        """Verb and path below ``/api/2.0/`` of all that was asked of serving endpoints."""
        return [call.replace("/api/2.0/", "") for call, _ in self.calls if f" {ENDPOINTS}" in call]


class _Handler(BaseHTTPRequestHandler):
    workspace: Workspace

    def _answer(self) -> None:
        content = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        try:
            if self.headers.get("Authorization") != f"Bearer {TOKEN}":
                raise ApiError(401, "UNAUTHENTICATED", "no valid token")
            status, body, about = self._found(content)
        except ApiError as error:
            status, body, about = (
                error.status,
                json.dumps(error.body).encode(),
                {"Content-Type": "application/json"},
            )
        self.send_response(status)
        for name, value in {**about, "Content-Length": str(len(body)), "x-databricks-org-id": "1"}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    do_GET = do_POST = do_PUT = do_PATCH = do_HEAD = do_DELETE = _answer

    def _found(self, content: bytes) -> tuple[int, bytes, dict[str, str]]:
        parts = urlsplit(self.path)
        path = unquote(parts.path)
        if path.startswith("/api/2.0/fs/"):
            self.workspace.calls.append((f"{self.command} {path}", {}))
            return self.workspace.files.answer(self.command, path.removeprefix("/api/2.0/fs/"), content)
        asked = json.loads(content) if content else {k: v[0] for k, v in parse_qs(parts.query).items()}
        self.workspace.calls.append((f"{self.command} {path}", asked))
        if path.startswith(REGISTRY):
            found = self.workspace.registry.answer(self.command, path.removeprefix(f"{REGISTRY}/"), asked)
            return 200, json.dumps(found).encode(), {"Content-Type": "application/json"}
        if path.startswith(ENDPOINTS):
            of = path.removeprefix(ENDPOINTS).removeprefix("/")
            found = self.workspace.endpoints.answer(self.command, of, asked)
            return 200, json.dumps(found).encode(), {"Content-Type": "application/json"}
        if re.match(r"/api/[23]\.0/mlflow/", path):
            return self._tracked(content)
        raise ApiError(404, "ENDPOINT_NOT_FOUND", f"No API found for {self.command} {path}")

    def _tracked(self, content: bytes) -> tuple[int, bytes, dict[str, str]]:
        sent = {"Content-Type": "application/json", "Host": "localhost"}
        found = self.workspace.tracking.open(self.path, method=self.command, data=content, headers=sent)
        # A workspace keeps logged models in a folder of another name.
        body = re.sub(rb"(mlflow-tracking/\w+)/models/", rb"\1/logged_models/", found.data)
        return found.status_code, body, {"Content-Type": "application/json"}

    def log_message(self, *_: object) -> None:
        """Nothing."""


@contextmanager
def fake_workspace(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Workspace]:
    """A workspace that this process is logged in to."""
    from mlflow.server import app
    from mlflow.server.handlers import initialize_backend_stores

    store = f"sqlite:///{folder}/workspace.db"
    monkeypatch.setenv("MLFLOW_SERVER_DISABLE_SECURITY_MIDDLEWARE", "true")
    initialize_backend_stores(store, store, ARTIFACTS)
    handler = type("Handler", (_Handler,), {})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    address = f"http://127.0.0.1:{server.server_port}"
    handler.workspace = Workspace(address, Files(folder / "files"), app.test_client())
    monkeypatch.setenv("DATABRICKS_HOST", address)
    monkeypatch.setenv("DATABRICKS_TOKEN", TOKEN)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with at_work(server):
        yield handler.workspace
