"""The files of a model: what they add up to, whether they are safe, and loading them."""

import hashlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import Any
from urllib.parse import urlparse

import mlflow.sklearn
from mlflow.artifacts import download_artifacts
from mlflow.exceptions import MlflowException
from mlflow.models import Model
from mlflow.tracking import MlflowClient
from sqlalchemy.exc import SQLAlchemyError

# Written beside the files when they are fetched through a registry: not part of what was trained.
REGISTRY_METADATA = "registered_model_meta"
# What training says about a model in its metadata, and how it is read.
FACTS: Mapping[str, Callable[[Any], Any]] = {
    "role": str,
    "threshold": float,
    "trained_from": date.fromisoformat,
    "trained_until": date.fromisoformat,
    "base_rate": float,
    "feature_fingerprint": str,
}
# All that our own models are made of.
TRUSTED = ("functools.partial", "lakehouse_ml.probability_model.", "numpy.", "sklearn.")
# All that our own models say to a server's loader; MLflow would also take folders of code and other data.
LOADED_BY = frozenset({"env", "loader_module", "model_path", "predict_fn", "python_version"})


class RegistryError(RuntimeError):
    """The registry cannot be reached, or does not hold what it must hold."""


def model_digest(folder: Path) -> str:
    """SHA-256 (hex) over a model's files: each relative path and its bytes, in order of the paths.

    Raises:
        RegistryError: The folder holds no file.
    """
    files = sorted(
        (file.relative_to(folder).as_posix(), file)
        for file in folder.rglob("*")
        if file.is_file() and file.name != REGISTRY_METADATA
    )
    if not files:
        raise RegistryError(f"{folder}: holds no model files, so there is nothing to take a digest of")
    total = hashlib.sha256()
    for name, file in files:
        content = hashlib.sha256(file.read_bytes()).hexdigest()
        total.update(f"{name}\0{content}\n".encode())
    return total.hexdigest()


def load_candidate(uri: str, tracking_uri: str | None = None) -> Any:
    """The logged model: ``predict(frame) -> probability of the positive class``.

    Args:
        uri: ``models:/<model id>`` as logged, or a folder.
        tracking_uri: Store that it was logged to; None: the process's.

    Raises:
        RegistryError: It is not there, or cannot be loaded.
    """
    return load_files(candidate_folder(uri, tracking_uri))


def unsafe(folder: Path) -> str:
    """Why loading the model could run what nobody reviewed; empty: it cannot.

    Skops builds only the types that it is told to trust, and the model itself says which: so those are compared with
    ours. A pickle runs whatever its writer wanted.
    """
    flavors = Model.load(str(folder)).flavors
    sklearn, served = flavors.get("sklearn", {}), flavors.get("python_function", {})
    loader = served.get("loader_module")
    if sklearn.get("serialization_format") != "skops" or loader != "mlflow.sklearn":
        return f"its format is {sklearn.get('serialization_format')} by {loader}, it must be skops by mlflow.sklearn"
    if sklearn.get("code") is not None:
        return f"it brings code of its own in {sklearn['code']}"
    if further := sorted(set(served) - LOADED_BY):
        return f"it makes a server load more than a model: {', '.join(f'{key} {served[key]}' for key in further)}"
    files = {str(sklearn.get("pickled_model")), str(served.get("model_path"))}
    if len(files) > 1 or not (folder / files.pop()).resolve().is_relative_to(folder.resolve()):
        return "it is not one file of its own folder that is evaluated and served"
    foreign = [name for name in sklearn.get("skops_trusted_types") or () if not name.startswith(TRUSTED)]
    return f"it wants to be trusted with {', '.join(sorted(foreign))}" if foreign else ""


def candidate_folder(uri: str, tracking_uri: str | None = None) -> Path:
    """Local folder with the files of a logged model, see :func:`load_candidate`."""
    with reaching(f"candidate {uri}"):
        return Path(download_artifacts(candidate_source(uri, tracking_uri), tracking_uri=tracking_uri))


def candidate_source(uri: str, tracking_uri: str | None) -> str:
    """Address of the files of a logged model, see :func:`load_candidate`."""
    # A models:/ address is resolved by the process's stores, which need not be this environment's.
    if not uri.startswith("models:/"):
        return uri
    logged = MlflowClient(tracking_uri=tracking_uri).get_logged_model(urlparse(uri).path.strip("/"))
    return str(logged.artifact_location)


def load_files(folder: Path) -> Any:
    """The model in a folder: ``predict(frame) -> probability of the positive class``.

    Raises:
        RegistryError: Loading could run code of its own, see :func:`unsafe`, or failed.
    """
    if fault := unsafe(folder):
        raise RegistryError(f"{folder}: the model is not loaded: {fault}")
    try:
        return mlflow.sklearn.load_model(str(folder))
    except Exception as error:
        raise RegistryError(f"{folder}: the model cannot be loaded: {error!r}") from error


@contextmanager
def reaching(what: str) -> Iterator[None]:
    """Turn every failure into one error, so that none reads as an absent model."""
    try:
        yield
    except (MlflowException, SQLAlchemyError, OSError) as error:
        raise RegistryError(f"{what}: the registry or its storage failed: {error}") from error
