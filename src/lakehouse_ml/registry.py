"""The model registry: the only module that talks to it, and the only one that moves an alias."""

import hashlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any
from urllib.parse import urlparse

import mlflow.sklearn
from mlflow.artifacts import download_artifacts
from mlflow.entities.model_registry import ModelVersion
from mlflow.exceptions import MlflowException
from mlflow.models import Model
from mlflow.tracking import MlflowClient
from sqlalchemy.exc import SQLAlchemyError

CHAMPION = "champion"
DIGEST_TAG = "digest"
# Written beside the files when they are fetched through a registry: not part of what was trained.
REGISTRY_METADATA = "registered_model_meta"

# What training says about a model in its metadata, and how it is read.
_FACTS: Mapping[str, Callable[[Any], Any]] = {
    "role": str,
    "threshold": float,
    "trained_from": date.fromisoformat,
    "trained_until": date.fromisoformat,
    "base_rate": float,
    "feature_fingerprint": str,
}
_ABSENT = ("RESOURCE_DOES_NOT_EXIST", "NOT_FOUND")


class RegistryError(RuntimeError):
    """The registry cannot be reached, or does not hold what it must hold."""


@dataclass(frozen=True)
class ModelReference:
    """A registered version and the SHA-256 over its files; not loaded."""

    version: str
    digest: str


@dataclass(frozen=True)
class LoggedModel:
    """A model of the tracking store, not registered yet.

    Attributes:
        uri: ``models:/<model id>`` as logged.
        digest: SHA-256 over its files, as evaluated.
        run_id: MLflow run that logged it.
    """

    uri: str
    digest: str
    run_id: str


@dataclass(frozen=True)
class Champion:
    """A registered version, loaded and checked against the digest it was registered with.

    Attributes:
        version: Version in the registry.
        digest: SHA-256 over its files.
        model: ``predict(frame) -> probability of the positive class``, float64 of shape (n_rows,).
        role: Role it was trained in: ``baseline`` or ``challenger``.
        threshold: Cost-optimal threshold: predicted positive from this score on.
        trained_from: First day of its training rows, UTC.
        trained_until: Day after the last day of its training rows, UTC.
        base_rate: Share of positive training rows.
        feature_fingerprint: Of the features it was trained on.
        feature_names: Columns it reads.
    """

    version: str
    digest: str
    model: Any
    role: str
    threshold: float
    trained_from: date
    trained_until: date
    base_rate: float
    feature_fingerprint: str
    feature_names: tuple[str, ...]


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
    return _load(candidate_folder(uri, tracking_uri))


def candidate_folder(uri: str, tracking_uri: str | None = None) -> Path:
    """Local folder with the files of a logged model, see :func:`load_candidate`."""
    with _reaching(f"candidate {uri}"):
        return Path(download_artifacts(_candidate_source(uri, tracking_uri), tracking_uri=tracking_uri))


def _candidate_source(uri: str, tracking_uri: str | None) -> str:
    # A models:/ address is resolved by the process's stores, which need not be this environment's.
    if not uri.startswith("models:/"):
        return uri
    logged = MlflowClient(tracking_uri=tracking_uri).get_logged_model(urlparse(uri).path.strip("/"))
    return str(logged.artifact_location)


def _load(folder: Path) -> Any:
    try:
        return mlflow.sklearn.load_model(str(folder))
    except Exception as error:
        raise RegistryError(f"{folder}: the model cannot be loaded: {error!r}") from error


@contextmanager
def _reaching(what: str) -> Iterator[None]:
    """Turn every failure into one error, so that none reads as an absent model."""
    try:
        yield
    except (MlflowException, SQLAlchemyError, OSError) as error:
        raise RegistryError(f"{what}: the registry or its storage failed: {error}") from error


@dataclass(frozen=True)
class Registry:
    """One model of the registry; every method raises :class:`RegistryError` when it cannot be reached.

    Attributes:
        name: ``<catalog>.<schema>.<model>``.
        registry_uri: ``sqlite:///...`` locally, ``databricks-uc`` remotely.
        tracking_uri: Store that the models were logged to.
    """

    name: str
    registry_uri: str
    tracking_uri: str

    @property
    def _client(self) -> MlflowClient:
        return MlflowClient(tracking_uri=self.tracking_uri, registry_uri=self.registry_uri)

    def aliased(self, alias: str = CHAMPION) -> ModelReference | None:
        """The version that bears the alias; None when there is none yet."""
        with _reaching(f"{self.name}@{alias} at {self.registry_uri}"):
            found = self._find_aliased(alias)
        return None if found is None else self._reference(found)

    def _find_aliased(self, alias: str) -> ModelVersion | None:
        try:
            return self._client.get_model_version_by_alias(self.name, alias)
        except MlflowException as error:
            # The SQL store answers an unknown alias with a code that other mistakes share.
            ambiguous = error.error_code == "INVALID_PARAMETER_VALUE"
            named = self._client.get_registered_model(self.name).aliases if ambiguous else {}
            if error.error_code in _ABSENT or (ambiguous and alias not in named):
                return None
            raise

    def _reference(self, found: ModelVersion) -> ModelReference:
        if DIGEST_TAG not in found.tags:
            raise RegistryError(
                f"{self.name} version {found.version} has no tag {DIGEST_TAG}: it was not registered by the "
                f"promotion pipeline; run `kedro run --pipelines retrain`."
            )
        return ModelReference(str(found.version), found.tags[DIGEST_TAG])

    def reference(self, version: str) -> ModelReference:
        """The version with its digest."""
        with _reaching(f"{self.name} version {version} at {self.registry_uri}"):
            found = self._client.get_model_version(self.name, version)
        return self._reference(found)

    def register(self, logged: LoggedModel, tags: Mapping[str, str], description: str) -> ModelReference:
        """The version that holds the logged model: the one it has already, or a new one.

        Args:
            logged: The model; its files must have the digest that was evaluated.
            tags: Kept with the version.
            description: Model card.

        Raises:
            RegistryError: The files were changed, or the registry cannot be reached.
        """
        folder = candidate_folder(logged.uri, self.tracking_uri)
        if model_digest(folder) != logged.digest:
            raise RegistryError(
                f"{logged.uri}: its files are not those with digest {logged.digest} that were evaluated; "
                f"train again with `kedro run --pipelines retrain`."
            )
        with _reaching(f"{self.name} at {self.registry_uri}"):
            self._create_name()
            found = self._find_registered(logged) or self._client.create_model_version(
                self.name,
                _candidate_source(logged.uri, self.tracking_uri),
                run_id=logged.run_id,
                tags={**tags, DIGEST_TAG: logged.digest},
                description=description,
            )
        return ModelReference(str(found.version), logged.digest)

    def _create_name(self) -> None:
        try:
            self._client.create_registered_model(self.name)
        except MlflowException as error:
            if "ALREADY_EXISTS" not in error.error_code:
                raise

    def _find_registered(self, logged: LoggedModel) -> ModelVersion | None:
        for version in self._client.search_model_versions(f"name='{self.name}'"):
            # Unity Catalog's search leaves the tags out: ask for each version of this very run.
            if version.run_id == logged.run_id:
                found = self._client.get_model_version(self.name, version.version)
                if found.tags.get(DIGEST_TAG) == logged.digest:
                    return found
        return None

    def point(self, version: str, alias: str = CHAMPION) -> None:
        """Let the alias name the version; only promotion may."""
        with _reaching(f"{self.name}@{alias} to {version} at {self.registry_uri}"):
            self._client.set_registered_model_alias(self.name, alias, version)

    def load(self, reference: ModelReference) -> Champion:
        """The version, loaded.

        Raises:
            RegistryError: It cannot be read or loaded, lacks metadata, or its files were changed.
        """
        what = f"{self.name} version {reference.version}"
        folder = self._fetch(reference.version)
        digest = model_digest(folder)
        if digest != reference.digest:
            raise RegistryError(
                f"{what}: its files have digest {digest}, registered was {reference.digest}: they were "
                f"changed; promote a model again with `kedro run --pipelines retrain`."
            )
        described = Model.load(str(folder))
        return Champion(
            version=reference.version,
            digest=digest,
            model=_load(folder),
            feature_names=_feature_names(described, what),
            **_training_facts(described.metadata or {}, what),
        )

    def _fetch(self, version: str) -> Path:
        with _reaching(f"{self.name} version {version} at {self.registry_uri}"):
            uri = f"models:/{self.name}/{version}"
            # Unity Catalog opens its storage by this address only; elsewhere it asks the process's registry.
            if not self.registry_uri.startswith("databricks"):
                uri = self._client.get_model_version_download_uri(self.name, version)
            stores = {"tracking_uri": self.tracking_uri, "registry_uri": self.registry_uri}
            return Path(download_artifacts(uri, **stores))


def _feature_names(described: Model, what: str) -> tuple[str, ...]:
    if described.signature is None:
        raise RegistryError(f"{what}: was logged without a signature; train it again")
    return tuple(described.signature.inputs.input_names())


def _training_facts(metadata: Mapping[str, Any], what: str) -> dict[str, Any]:
    absent = [name for name in _FACTS if name not in metadata]
    if absent:
        raise RegistryError(f"{what}: was logged without metadata {', '.join(absent)}; train it again")
    return {name: kind(metadata[name]) for name, kind in _FACTS.items()}
