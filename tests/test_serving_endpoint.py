"""The serving endpoint follows the champion, over HTTP to a stand-in workspace: made, moved, left alone, healed."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import mlflow
import pandas as pd
import pytest
from click.testing import CliRunner, Result
from kedro.config import OmegaConfigLoader
from kedro.io import DataCatalog, DatasetError, MemoryDataset
from kedro.runner import SequentialRunner
from mlflow.pyfunc import scoring_server

from fake_workspace import ApiError, Workspace, fake_workspace
from lakehouse_ml import last_word
from lakehouse_ml.champion import Champions
from lakehouse_ml.cli import champions as commands
from lakehouse_ml.cli.opened import told
from lakehouse_ml.datasets import ServingEndpoint
from lakehouse_ml.datasets.serving_endpoint import DatabricksEndpoint
from lakehouse_ml.lakehouse.run import Run
from lakehouse_ml.last_word import Ask
from lakehouse_ml.ledger import Entry, hash_of
from lakehouse_ml.pipelines import endpoint as endpoint_pipeline
from lakehouse_ml.pipelines import promotion
from lakehouse_ml.platform import PLATFORM_VARIABLE
from lakehouse_ml.probe import Probe
from lakehouse_ml.registry import ModelReference, Registry
from lakehouse_ml.serving_endpoint import EndpointError, NoEndpoint
from lakehouse_ml.settings import CONFIG_LOADER_ARGS
from ledger_builders import AS_OF, RowsInMemory, entry
from promotion_builders import RULES
from registry_builders import Stores, saved_model

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parent.parent
MODEL, NAME = "test.ml.lateness", "test_lateness"
CREATE, GET, UPDATE = (
    "POST serving-endpoints",
    f"GET serving-endpoints/{NAME}",
    f"PUT serving-endpoints/{NAME}/config",
)
USE_CASE = SimpleNamespace(entities="flights", labels=SimpleNamespace(column="is_late"))
LAST_NODE = promotion.create_pipeline(USE_CASE).filter(node_names=["apply_decision"])
ASK = Ask("Ada", "too many misses", Run("run-1", AS_OF, {}))
DENIED = (403, "PERMISSION_DENIED", "User does not have permission 'Manage' on the endpoint.")


@pytest.fixture(scope="module")
def opened(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workspace]:
    with pytest.MonkeyPatch.context() as patched:
        # A model is tried out for real in the tests of promotion: it takes seconds, and asks no endpoint.
        patched.setattr(last_word, "probe", lambda *_: Probe())
        with fake_workspace(tmp_path_factory.mktemp("workspace"), patched) as workspace:
            yield workspace
    mlflow.set_tracking_uri("")
    mlflow.set_registry_uri("")


@pytest.fixture
def workspace(opened: Workspace) -> Workspace:
    """A workspace without an endpoint, and without memory."""
    opened.endpoints.found.clear()
    opened.endpoints.refused = None
    opened.calls.clear()
    return opened


def endpoint(**changes: Any) -> DatabricksEndpoint:
    known = DatabricksEndpoint(NAME, MODEL, "Small", True, {"project": "lakehouse_ml", "environment": "test"})
    return replace(known, **changes)


def version(number: str) -> ModelReference:
    return ModelReference(number, number * 64)


def bring_up(workspace: Workspace, number: str) -> None:
    """The endpoint serves a version, and no update is under way."""
    endpoint().serve(version(number))
    workspace.endpoints.end_update(NAME)
    assert workspace.endpoints.served(NAME) == [(MODEL, number)]


@dataclass
class Home:
    """A ledger and a registry of real models."""

    stores: Stores
    ledger: RowsInMemory
    handed_over: MemoryDataset | None = None

    @property
    def registry(self) -> Registry:
        return self.stores.registry

    @property
    def champions(self) -> Champions:
        return Champions(
            self.ledger, self.registry, {row.model_digest: pd.DataFrame for row in self.ledger.rows}
        )

    @property
    def stand(self) -> tuple[str | None, str | None, str]:
        """Champion of the ledger, version of the alias, last event."""
        state, alias = self.ledger.state(), self.registry.aliased()
        return state.champion, alias and alias.version, state.entries[-1].event

    def decided(self, decision: str = "promoted") -> Entry:
        """A decision on a new model, not on record yet."""
        model = saved_model(self.stores, f"model_{len(self.ledger.rows)}")
        named = self.registry.register(model, {"evidence_hash": hash_of("{}")}, "card")
        champion = self.ledger.state().champion
        return entry(
            decision=decision,
            subject=hash_of(model.digest),
            model_version=named.version,
            model_digest=named.digest,
            champion_before=champion,
            champion_after=named.version if decision == "promoted" else champion,
        )

    def promote(self, served_by: Any, decided: Entry | None = None) -> None:
        """The end of the promotion pipeline."""
        catalog = self.catalog(served_by)
        catalog["ledger_entry"] = in_memory(self.decided() if decided is None else decided)
        catalog["ledger_before"] = in_memory(self.ledger.state())
        self.handed_over = MemoryDataset(copy_mode="assign")
        catalog["ml_champion"] = self.handed_over
        SequentialRunner().run(LAST_NODE, catalog)

    def heal(self, served_by: Any) -> None:
        """What each daily run ends with."""
        SequentialRunner().run(endpoint_pipeline.create_pipeline(None), self.catalog(served_by))

    def catalog(self, served_by: Any) -> DataCatalog:
        found = {"promotion_ledger": self.ledger, "model_registry": self.registry}
        found |= {"serving_endpoint": served_by, "golden_rows": self.champions.golden_rows, "run": ASK.run}
        return DataCatalog({name: in_memory(value) for name, value in found.items()})


def in_memory(value: Any) -> MemoryDataset:
    return MemoryDataset(value, copy_mode="assign")


@pytest.fixture
def home(stores: Stores) -> Home:
    return Home(stores, RowsInMemory())


def test_an_absent_endpoint_is_created_with_the_champion_alone_and_its_values(workspace: Workspace) -> None:
    endpoint(workload_size="Medium", scale_to_zero=False).serve(version("1"))
    assert workspace.endpoint_calls() == [GET, CREATE]
    (made,) = workspace.asked("POST /api/2.0/serving-endpoints")
    assert made["name"] == NAME
    assert made["config"]["served_entities"] == [
        {
            "name": "lateness-1",
            "entity_name": MODEL,
            "entity_version": "1",
            "workload_size": "Medium",
            "scale_to_zero_enabled": False,
        }
    ]
    assert made["config"]["traffic_config"] == {
        "routes": [{"served_model_name": "lateness-1", "traffic_percentage": 100}]
    }
    assert made["tags"] == [
        {"key": "project", "value": "lakehouse_ml"},
        {"key": "environment", "value": "test"},
    ]


def test_an_endpoint_of_another_version_is_brought_to_the_champion(workspace: Workspace) -> None:
    bring_up(workspace, "1")
    endpoint().serve(version("2"))
    assert workspace.endpoint_calls()[2:] == [GET, UPDATE]
    # Nobody waited for it.
    assert workspace.endpoints.served(NAME) == [(MODEL, "1")]
    workspace.endpoints.end_update(NAME)
    assert workspace.endpoints.served(NAME) == [(MODEL, "2")]


@pytest.mark.parametrize("is_under_way", [True, False])
def test_an_endpoint_that_serves_the_champion_or_is_on_the_way_to_it_is_left_alone(
    workspace: Workspace, is_under_way: bool
) -> None:
    endpoint().serve(version("1"))
    if not is_under_way:
        workspace.endpoints.end_update(NAME)
    for _ in range(2):
        endpoint().serve(version("1"))
    assert workspace.endpoint_calls() == [GET, CREATE, GET, GET]


@pytest.mark.parametrize("served", [("prod.ml.lateness", "1"), (MODEL, "1", "2")])
def test_another_model_or_a_second_version_beside_it_is_not_the_champion_alone(
    workspace: Workspace, served: tuple[str, ...]
) -> None:
    bring_up(workspace, "1")
    model, *versions = served
    workspace.endpoints.found[NAME]["config"]["served_entities"] = [
        {"name": f"v{number}", "entity_name": model, "entity_version": number} for number in versions
    ]
    bring_up(workspace, "1")


def test_an_update_on_its_way_to_another_version_is_a_conflict_that_the_next_run_heals(
    workspace: Workspace,
) -> None:
    bring_up(workspace, "1")
    endpoint().serve(version("2"))
    # It still serves version 1, and will not for long.
    with pytest.raises(EndpointError, match=r"not brought to version 1: .*currently being updated"):
        endpoint().serve(version("1"))
    workspace.endpoints.end_update(NAME)
    assert workspace.endpoints.served(NAME) == [(MODEL, "2")]
    bring_up(workspace, "1")


def test_a_version_that_did_not_come_up_is_asked_for_anew_and_told_each_time(workspace: Workspace) -> None:
    bring_up(workspace, "1")
    endpoint().serve(version("2"))
    for _ in range(2):
        workspace.endpoints.end_update(NAME, came_up=False)
        with pytest.raises(EndpointError, match=r"its last update failed, so version 2 was asked for anew"):
            endpoint().serve(version("2"))
    workspace.endpoints.end_update(NAME)
    endpoint().serve(version("2"))
    assert workspace.endpoint_calls()[-2:] == [UPDATE, GET]


def test_after_a_failed_update_the_way_back_to_what_still_answers_asks_for_nothing(
    workspace: Workspace,
) -> None:
    bring_up(workspace, "1")
    endpoint().serve(version("2"))
    workspace.endpoints.end_update(NAME, came_up=False)
    endpoint().serve(version("1"))
    assert workspace.endpoint_calls()[-2:] == [UPDATE, GET]


def test_a_first_version_that_never_came_up_is_not_taken_for_served(workspace: Workspace) -> None:
    endpoint().serve(version("1"))
    workspace.endpoints.end_update(NAME, came_up=False)
    with pytest.raises(EndpointError, match="last update failed"):
        endpoint().serve(version("1"))
    assert workspace.endpoint_calls()[-1] == UPDATE


def test_a_refusal_is_told_with_value_and_way_out(workspace: Workspace) -> None:
    workspace.endpoints.refused = DENIED
    with pytest.raises(EndpointError) as refused:
        endpoint().serve(version("7"))
    text = str(refused.value)
    assert f"endpoint {NAME} was not brought to version 7: User does not have permission" in text
    assert "Ledger and alias stand" in text
    assert "`kedro run --pipelines endpoint`, on Databricks the job endpoint" in text


def test_a_process_that_is_not_logged_in_is_told_so(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("DATABRICKS_HOST", "DATABRICKS_TOKEN", "DATABRICKS_CONFIG_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", "/nowhere")
    with pytest.raises(EndpointError, match=f"endpoint {NAME} was not brought to version 1"):
        endpoint().serve(version("1"))


def test_promotion_ends_with_the_endpoint_and_a_refused_model_leaves_it(
    workspace: Workspace, home: Home
) -> None:
    home.promote(endpoint(), home.decided("refused"))
    # No model was ever promoted: there is nothing to serve.
    assert workspace.endpoint_calls() == []
    home.promote(endpoint())
    workspace.endpoints.end_update(NAME)
    champion = home.registry.aliased()
    assert workspace.endpoints.served(NAME) == [(MODEL, champion.version)]
    home.promote(endpoint(), home.decided("refused"))
    assert workspace.endpoint_calls() == [GET, CREATE, GET]
    assert home.registry.aliased() == champion


def test_where_the_endpoint_fails_the_champion_is_handed_over_and_the_same_promotion_again_heals(
    workspace: Workspace, home: Home
) -> None:
    decided = home.decided()
    workspace.endpoints.refused = DENIED
    with pytest.raises(EndpointError, match="does not have permission"):
        home.promote(endpoint(), decided)
    assert home.stand == ("1", "1", "moved")
    assert home.handed_over.load() == home.registry.aliased()
    rows = list(home.ledger.rows)
    workspace.endpoints.refused = None
    home.promote(endpoint(), decided)
    workspace.endpoints.end_update(NAME)
    assert workspace.endpoints.served(NAME) == [(MODEL, "1")]
    # Nothing was decided anew.
    assert home.ledger.rows == rows


def test_a_daily_run_heals_what_promotion_could_not_and_moves_nothing_else(
    workspace: Workspace, home: Home
) -> None:
    home.heal(endpoint())
    # There is no champion yet.
    assert workspace.endpoint_calls() == []
    workspace.endpoints.refused = DENIED
    with pytest.raises(EndpointError):
        home.promote(endpoint())
    rows = list(home.ledger.rows)
    with pytest.raises(EndpointError):
        home.heal(endpoint())
    workspace.endpoints.refused = None
    home.heal(endpoint())
    workspace.endpoints.end_update(NAME)
    assert workspace.endpoints.served(NAME) == [(MODEL, "1")]
    home.heal(endpoint())
    assert workspace.endpoint_calls()[-2:] == [CREATE, GET]
    assert home.ledger.rows == rows


@pytest.fixture
def command(home: Home, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    """A person's command, over this ledger and registry."""
    context = SimpleNamespace(catalog=None, params={"promotion": {"rules": RULES}})

    @contextmanager
    def opened_to_write(*_: Any) -> Iterator[SimpleNamespace]:
        context.catalog = home.catalog(endpoint())
        with told():
            yield context

    monkeypatch.setattr(commands, "opened_to_write", opened_to_write)
    # How old evidence may be is a matter of its own.
    monkeypatch.setattr(commands, "refuse_outdated", lambda *_: None)
    monkeypatch.setenv("COLUMNS", "200")
    known = {"approve": commands.approve, "rollback": commands.rollback}
    return lambda name, *options: CliRunner().invoke(known[name], options)


def test_an_approval_moves_the_endpoint_and_a_roll_back_moves_it_back(
    workspace: Workspace, home: Home, command: Callable[..., Result]
) -> None:
    home.promote(endpoint())
    workspace.endpoints.end_update(NAME)
    home.promote(endpoint(), home.decided("awaiting_approval"))
    assert workspace.endpoint_calls() == [GET, CREATE, GET]
    approved = command("approve", "--version=2", "--by=Ada", "--note=card read")
    assert approved.exit_code == 0, approved.output
    workspace.endpoints.end_update(NAME)
    assert workspace.endpoints.served(NAME) == [(MODEL, "2")]
    back = command("rollback", "--by=Ada", "--reason=too many misses")
    assert back.exit_code == 0, back.output
    workspace.endpoints.end_update(NAME)
    assert workspace.endpoints.served(NAME) == [(MODEL, "1")]


def test_a_roll_back_amid_an_update_is_on_record_tells_the_conflict_and_is_healed_by_the_next_daily_run(
    workspace: Workspace, home: Home, command: Callable[..., Result]
) -> None:
    home.promote(endpoint())
    workspace.endpoints.end_update(NAME)
    home.promote(endpoint())
    back = command("rollback", "--by=Ada", "--reason=too many misses")
    assert back.exit_code == 1
    assert "Version 1 is champion again, 2 was taken back: row 5 of the ledger" in back.output
    assert "not brought to version 1: Endpoint test_lateness is currently being updated" in back.output
    assert home.stand == ("1", "1", "moved")
    workspace.endpoints.end_update(NAME)
    assert workspace.endpoints.served(NAME) == [(MODEL, "2")]
    home.heal(endpoint())
    workspace.endpoints.end_update(NAME)
    assert workspace.endpoints.served(NAME) == [(MODEL, "1")]


def test_a_refused_command_asks_no_endpoint(
    workspace: Workspace, home: Home, command: Callable[..., Result]
) -> None:
    home.promote(endpoint())
    workspace.calls.clear()
    refused = command("rollback", "--by=Ada", "--reason=why not")
    assert refused.exit_code == 1
    assert workspace.endpoint_calls() == []


def in_conf(environment: str, on: str, monkeypatch: pytest.MonkeyPatch) -> ServingEndpoint:
    """The dataset as the catalog of an environment has it."""
    monkeypatch.setenv(PLATFORM_VARIABLE, on)
    loader = OmegaConfigLoader(str(ROOT / "conf"), env=environment, **CONFIG_LOADER_ARGS)
    return DataCatalog.from_config({"serving_endpoint": loader["catalog"]["serving_endpoint"]}).get(
        "serving_endpoint"
    )


@pytest.mark.parametrize("environment", ["dev", "test", "staging", "prod"])
def test_each_environment_has_an_endpoint_of_its_own_for_its_own_model(
    environment: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = in_conf(environment, "databricks", monkeypatch).load()
    assert found == DatabricksEndpoint(
        f"{environment}_late_arrival",
        f"{environment}.ml.late_arrival",
        "Small",
        environment != "prod",
        {"project": "lakehouse_ml", "environment": environment},
    )


def test_on_a_laptop_nothing_is_asked_and_nothing_is_said(
    workspace: Workspace,
    home: Home,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    local = in_conf("test", "local", monkeypatch).load()
    assert isinstance(local, NoEndpoint)
    home.promote(local)
    home.promote(local)
    home.heal(local)
    assert home.stand == ("2", "2", "moved")
    assert workspace.calls == []
    assert [record for record in caplog.records if "endpoint" in record.name] == []


ANSWERED = {
    "records with a key": {"dataframe_records": [{"key": "a", "hour": 3.0, "wind_kn": 1.0}]},
    "split, in another order": {"dataframe_split": {"columns": ["wind_kn", "hour"], "data": [[1.0, 3.0]]}},
}


@pytest.mark.parametrize("body", ANSWERED.values(), ids=ANSWERED)
def test_mlflows_own_server_answers_requests_of_our_form_with_scores_alone(
    home: Home, body: dict[str, Any]
) -> None:
    """What Model Serving runs is built on it: no key, decision, threshold or version comes back."""
    home.promote(NoEndpoint())
    model = mlflow.pyfunc.load_model(str(home.registry.files(home.registry.aliased())))
    schema = model.metadata.get_input_schema()
    answer = scoring_server.invocations(json.dumps(body), "application/json", model, schema)
    assert json.loads(answer.response) == {"predictions": [pytest.approx(0.3)]}


def test_nothing_can_be_saved_to_the_endpoint(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(DatasetError, match="it serves the champion, and takes nothing else"):
        in_conf("prod", "databricks", monkeypatch).save("2")


def test_the_stand_in_refuses_what_the_service_refuses(workspace: Workspace) -> None:
    endpoints = workspace.endpoints
    with pytest.raises(ApiError, match="is no name of an endpoint"):
        endpoints.answer("POST", "", {"name": "prod.late"})
    entity = {"name": "a", "entity_name": MODEL, "entity_version": "1"}
    whole = {"served_entities": [entity | {"scale_to_zero_enabled": True}], "traffic_config": {"routes": []}}
    with pytest.raises(ApiError, match="scaleToZeroEnabled is undefined"):
        endpoints.answer("POST", "", {"name": NAME, "config": {**whole, "served_entities": [entity]}})
    with pytest.raises(ApiError, match="are not those of the entities"):
        endpoints.answer("POST", "", {"name": NAME, "config": whole})
    with pytest.raises(ApiError, match="No API found"):
        endpoints.answer("DELETE", NAME, {})
