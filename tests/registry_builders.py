"""Small models and real MLflow stores for the tests of registry, promotion and inference."""

import shutil
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import pandas as pd
import yaml
from mlflow.models import infer_signature
from mlflow.tracking import MlflowClient
from sklearn.linear_model import LinearRegression

from lakehouse_ml.model_files import model_digest
from lakehouse_ml.registry import LoggedModel, Registry

NAME = "test.ml.lateness"
METADATA = {
    "role": "challenger",
    "threshold": 0.4,
    "trained_from": "2013-01-01",
    "trained_until": "2013-09-03",
    "base_rate": 0.24,
    "feature_fingerprint": "f" * 64,
    "seed": 1,
}


@dataclass(frozen=True)
class Stores:
    """A registry and a tracking store of their own, and the folder that they are in."""

    folder: Path
    template: Path

    @property
    def tracking_uri(self) -> str:
        return f"sqlite:///{self.folder / 'tracking.db'}"

    @property
    def registry_uri(self) -> str:
        return f"sqlite:///{self.folder / 'registry.db'}"

    @property
    def registry(self) -> Registry:
        return Registry(NAME, self.registry_uri, self.tracking_uri)

    @property
    def client(self) -> MlflowClient:
        return MlflowClient(self.tracking_uri, self.registry_uri)

    @property
    def address(self) -> dict[str, str]:
        stores = {"registry_uri": self.registry_uri, "tracking_uri": self.tracking_uri}
        return {"catalog": "test", "model_name": "lateness", **stores}


def make_template(folder: Path) -> Path:
    """A migrated SQLite file and a saved model: each takes seconds to make, and none to copy."""
    uri = f"sqlite:///{folder / 'store.db'}"
    MlflowClient(uri, uri).search_experiments(max_results=1)
    mlflow.sklearn.save_model(tenth_of_hour(), folder / "model", **described(METADATA))
    return folder


def make_stores(template: Path, folder: Path) -> Stores:
    for name in ("tracking", "registry"):
        shutil.copy(template / "store.db", folder / f"{name}.db")
    return Stores(folder, template)


def tenth_of_hour() -> LinearRegression:
    """A model whose score is a tenth of the feature ``hour``."""
    frame = pd.DataFrame({"hour": np.arange(4.0), "wind_kn": [1.0, 0.0, 0.0, 1.0]})
    return LinearRegression().fit(frame, frame["hour"] / 10)


def described(metadata: dict[str, Any]) -> dict[str, Any]:
    frame = pd.DataFrame({"hour": [1.0, 2.0], "wind_kn": [0.0, 1.0]})
    return {
        "signature": infer_signature(frame, np.array([0.1, 0.2])),
        "serialization_format": "skops",
        "pip_requirements": [f"{name}=={version(name)}" for name in ("mlflow", "scikit-learn", "skops")],
        "metadata": metadata,
    }


def saved_model(stores: Stores, name: str = "model", **metadata: Any) -> LoggedModel:
    """A model in a folder; each name has a digest of its own. A fact that is None is left out."""
    folder = stores.folder / "artifacts" / name
    shutil.copytree(stores.template / "model", folder)
    described = yaml.safe_load((folder / "MLmodel").read_text())
    facts = {**METADATA, **metadata}
    described["metadata"] = {fact: value for fact, value in facts.items() if value is not None}
    described["model_uuid"] = name
    (folder / "MLmodel").write_text(yaml.safe_dump(described))
    return LoggedModel(str(folder), model_digest(folder), f"run_of_{name}")


def logged_model(stores: Stores) -> LoggedModel:
    """A model as training logs it."""
    mlflow.set_tracking_uri(stores.tracking_uri)
    experiment = stores.client.create_experiment("test", artifact_location=str(stores.folder / "logged"))
    with mlflow.start_run(experiment_id=experiment) as run:
        info = mlflow.sklearn.log_model(tenth_of_hour(), name="model", **described(METADATA))
    folder = stores.client.get_logged_model(info.model_id).artifact_location
    return LoggedModel(info.model_uri, model_digest(Path(folder)), run.info.run_id)


def promote(stores: Stores, logged: LoggedModel) -> str:
    """The version that the model became, with the alias on it."""
    version = stores.registry.register(logged, {"role": "challenger"}, "card").version
    stores.registry.point(version)
    return version
