"""What our code asks of a workspace: names of three levels, aliases and no stages, the environment's experiment."""

from collections.abc import Iterator
from typing import Any

import mlflow
import pytest
from kedro.framework.session import KedroSession
from kedro.framework.startup import bootstrap_project

from fake_workspace import REGISTRY, ApiError, UnityCatalog, Workspace, fake_workspace
from lakehouse_ml.datasets import ModelRegistry
from lakehouse_ml.model_files import RegistryError, candidate_folder, model_digest
from lakehouse_ml.platform import PLATFORM_VARIABLE
from lakehouse_ml.registry import LoggedModel, ModelReference, Registry
from processes import ROOT
from registry_builders import METADATA, described, tenth_of_hour

pytestmark = pytest.mark.slow

MODEL = "prod.ml.late_arrival"


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workspace]:
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv(PLATFORM_VARIABLE, "databricks")
        with fake_workspace(tmp_path_factory.mktemp("workspace"), patched) as opened:
            yield opened
    mlflow.set_tracking_uri("")
    mlflow.set_registry_uri("")


@pytest.fixture(scope="module")
def prod(workspace: Workspace) -> dict[str, Any]:
    """Conf of prod, after a session of it has begun: kedro-mlflow has made its experiment."""
    bootstrap_project(ROOT)
    with KedroSession.create(ROOT, env="prod") as session:
        return dict(session.load_context().config_loader["catalog"])


@pytest.fixture(scope="module")
def registry(prod: dict[str, Any]) -> Registry:
    """As the catalog has it."""
    entry = {name: value for name, value in prod["model_registry"].items() if name != "type"}
    return ModelRegistry(**entry).load()


@pytest.fixture(scope="module")
def logged(registry: Registry) -> LoggedModel:
    """A model as training logs it."""
    with mlflow.start_run() as run:
        info = mlflow.sklearn.log_model(tenth_of_hour(), name="model", **described(METADATA))
    return LoggedModel(
        info.model_uri, model_digest(candidate_folder(info.model_uri, "databricks")), run.info.run_id
    )


@pytest.fixture(scope="module")
def champion(registry: Registry, logged: LoggedModel) -> ModelReference:
    reference = registry.register(logged, {"role": "challenger"}, "card")
    assert (
        registry.register(logged, {}, "card") == reference == ModelReference(reference.version, logged.digest)
    )
    assert registry.aliased() is None
    registry.point(reference.version)
    return reference


def test_the_experiment_is_the_environments_and_keeps_its_files_where_the_workspace_wants(
    workspace: Workspace, logged: LoggedModel
) -> None:
    (made,) = workspace.asked("POST /api/2.0/mlflow/experiments/create")
    assert made == {"name": "/Applications/lakehouse_ml/prod/training"}
    experiment = mlflow.get_run(logged.run_id).info.experiment_id
    assert mlflow.get_experiment(experiment).artifact_location.startswith("dbfs:/databricks/mlflow-tracking/")


def test_the_champion_is_read_by_its_alias_and_is_what_was_logged(
    registry: Registry, champion: ModelReference, workspace: Workspace
) -> None:
    assert registry.aliased() == champion
    assert workspace.asked(f"GET {REGISTRY}/registered-models/alias")[-1] == {
        "name": MODEL,
        "alias": "champion",
    }
    loaded = registry.load(champion)
    assert (loaded.threshold, loaded.feature_names) == (0.4, ("hour", "wind_kn"))


def test_an_alias_moves_by_its_name_and_to_a_version(champion: ModelReference, workspace: Workspace) -> None:
    moved = workspace.asked(f"POST {REGISTRY}/registered-models/alias")
    assert moved == [{"name": MODEL, "alias": "champion", "version": champion.version}]


def test_files_that_were_changed_in_the_registry_are_refused(
    registry: Registry, champion: ModelReference, workspace: Workspace
) -> None:
    file = workspace.files.folder / "Models/prod/ml/late_arrival" / champion.version / "requirements.txt"
    before = file.read_bytes()
    file.write_bytes(before + b"\nmore==1")
    with pytest.raises(RegistryError, match="they were changed"):
        registry.files(champion)
    file.write_bytes(before)
    assert registry.files(champion).is_dir()


def test_a_token_that_is_not_taken_never_reads_as_no_champion(
    registry: Registry, champion: ModelReference, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABRICKS_TOKEN", "another")
    with pytest.raises(RegistryError, match="the registry or its storage failed"):
        registry.aliased()


def test_nobody_asked_for_stages_nor_for_the_workspaces_own_registry(
    champion: ModelReference, workspace: Workspace
) -> None:
    """Runs last: all that the tests before it asked."""
    calls = [name.split(" ")[1] for name, _ in workspace.calls]
    about_models = {call for call in calls if "registered-models" in call or "model-versions" in call}
    assert len(about_models) > 8
    assert all(call.startswith(REGISTRY) for call in about_models)
    assert not [call for call in calls if "stage" in call or "latest-versions" in call]
    about_ours = [body for name, body in workspace.calls if name.split(" ")[1].startswith(REGISTRY)]
    assert {body["name"] for body in about_ours if "name" in body} == {MODEL}


@pytest.mark.parametrize(
    ("call", "asked"),
    [("model-versions/transition-stage", {}), ("registered-models/create", {"name": "late_arrival"})],
)
def test_the_stand_in_knows_neither_stages_nor_names_of_one_level(call: str, asked: dict[str, str]) -> None:
    with pytest.raises(ApiError, match=r"No API found|is no catalog\.schema\.model"):
        UnityCatalog().answer("POST", call, asked)
