"""The model registry: the only module that talks to it, and the only one that moves an alias."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from mlflow.artifacts import download_artifacts
from mlflow.entities.model_registry import ModelVersion
from mlflow.exceptions import MlflowException
from mlflow.models import Model
from mlflow.tracking import MlflowClient

from lakehouse_ml.model_files import (
    FACTS,
    RegistryError,
    candidate_folder,
    candidate_source,
    load_files,
    model_digest,
    reaching,
)

CHAMPION = "champion"
DIGEST_TAG = "digest"
_ABSENT = ("RESOURCE_DOES_NOT_EXIST", "NOT_FOUND")


class NoSuchVersionError(RegistryError):
    """The registry can be reached, and says that it has no such version, or none that promotion registered."""


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
        with reaching(f"{self.name}@{alias} at {self.registry_uri}"):
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
            raise NoSuchVersionError(
                f"{self.name} version {found.version} has no tag {DIGEST_TAG}: it was not registered by the "
                f"promotion pipeline; run `kedro run --pipelines retrain`."
            )
        return ModelReference(str(found.version), found.tags[DIGEST_TAG])

    def reference(self, version: str) -> ModelReference:
        """The version with its digest.

        Raises:
            NoSuchVersionError: It was deleted, or has no digest.
            RegistryError: The registry cannot be reached.
        """
        with reaching(f"{self.name} version {version} at {self.registry_uri}"):
            found = self._find(version)
        if found is None:
            raise NoSuchVersionError(
                f"{self.name} version {version} is not in the registry at {self.registry_uri}: it was deleted, or "
                f"never registered; `kedro ledger show` tells which versions there were."
            )
        return self._reference(found)

    def _find(self, version: str) -> ModelVersion | None:
        try:
            return self._client.get_model_version(self.name, version)
        except MlflowException as error:
            if error.error_code in _ABSENT:
                return None
            raise

    def versions(self) -> list[str]:
        """Every version, oldest first."""
        with reaching(f"the versions of {self.name} at {self.registry_uri}"):
            return sorted((str(found.version) for found in self._search()), key=int)

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
        with reaching(f"{self.name} at {self.registry_uri}"):
            self._create_name()
            found = self._find_registered(logged)
            if found is None:
                found = self._client.create_model_version(
                    self.name,
                    candidate_source(logged.uri, self.tracking_uri),
                    run_id=logged.run_id,
                    tags={**tags, DIGEST_TAG: logged.digest},
                    description=description,
                )
            else:
                self._describe_anew(found, tags, description)
        return ModelReference(str(found.version), logged.digest)

    def _describe_anew(self, found: ModelVersion, tags: Mapping[str, str], description: str) -> None:
        self._client.update_model_version(self.name, found.version, description)
        for name, value in tags.items():
            if found.tags.get(name) != value:
                self._client.set_model_version_tag(self.name, found.version, name, value)

    def tags(self, version: str) -> dict[str, str]:
        """The version's tags."""
        with reaching(f"{self.name} version {version} at {self.registry_uri}"):
            return dict(self._client.get_model_version(self.name, version).tags)

    def _create_name(self) -> None:
        try:
            self._client.create_registered_model(self.name)
        except MlflowException as error:
            if "ALREADY_EXISTS" not in error.error_code:
                raise

    def _find_registered(self, logged: LoggedModel) -> ModelVersion | None:
        for version in self._search():
            # Unity Catalog's search leaves the tags out: ask for each version of this very run.
            if version.run_id == logged.run_id:
                found = self._client.get_model_version(self.name, version.version)
                if found.tags.get(DIGEST_TAG) == logged.digest:
                    return found
        return None

    def _search(self) -> Iterable[ModelVersion]:
        return self._client.search_model_versions(f"name='{self.name}'")

    def point(self, version: str, alias: str = CHAMPION) -> None:
        """Let the alias name the version; only promotion may."""
        with reaching(f"{self.name}@{alias} to {version} at {self.registry_uri}"):
            self._client.set_registered_model_alias(self.name, alias, version)

    def load(self, reference: ModelReference) -> Champion:
        """The version, loaded.

        Raises:
            RegistryError: It cannot be read or loaded, lacks metadata, or its files were changed.
        """
        folder = self.files(reference)
        described, what = Model.load(str(folder)), f"{self.name} version {reference.version}"
        return Champion(
            version=reference.version,
            digest=reference.digest,
            model=load_files(folder),
            feature_names=_feature_names(described, what),
            **_training_facts(described.metadata or {}, what),
        )

    def files(self, reference: ModelReference) -> Path:
        """Local folder with the version's files.

        Raises:
            RegistryError: It cannot be read, or its files were changed.
        """
        folder = self._fetch(reference.version)
        digest = model_digest(folder)
        if digest != reference.digest:
            raise RegistryError(
                f"{self.name} version {reference.version}: its files have digest {digest}, registered was "
                f"{reference.digest}: they were changed; roll back with `kedro rollback`, or promote a model again "
                f"with `kedro run --pipelines retrain`."
            )
        return folder

    def _fetch(self, version: str) -> Path:
        with reaching(f"{self.name} version {version} at {self.registry_uri}"):
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
    absent = [name for name in FACTS if name not in metadata]
    if absent:
        raise RegistryError(f"{what}: was logged without metadata {', '.join(absent)}; train it again")
    return {name: kind(metadata[name]) for name, kind in FACTS.items()}
