import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from kedro.io import DatasetError
from mlflow import MlflowClient

from lakehouse_ml.datasets import Challengers, ModelRegistry, RegisteredModel, registered_model
from lakehouse_ml.datasets.promotion_ledger import DeltaLedger
from lakehouse_ml.registry import ModelReference
from ledger_builders import crown, ledger_address, ledger_in
from registry_builders import Stores, saved_model


@pytest.fixture(autouse=True)
def session(spark):
    """The ledger is a Delta table."""


def champion(stores: Stores, **changes) -> RegisteredModel:
    return RegisteredModel(**{**stores.address, **ledger_address(stores.folder), **changes})


def test_loads_the_version_that_alias_and_ledger_name(stores: Stores):
    crown(stores, saved_model(stores, "first"))
    logged = saved_model(stores, "second")
    crown(stores, logged)
    found = champion(stores).load()
    assert (found.version, found.digest) == ("2", logged.digest)


def test_says_how_to_get_a_champion_when_there_is_none(stores: Stores):
    with pytest.raises(DatasetError, match=r"has no champion: .*kedro run --pipelines retrain"):
        champion(stores).load()


def test_gives_none_before_the_first_promotion_when_told_to(stores: Stores):
    assert champion(stores, missing="none").load() is None


def test_raises_when_the_registry_is_out_of_reach_even_when_none_is_allowed(stores: Stores, monkeypatch):
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    with pytest.raises(DatasetError, match="the registry or its storage failed"):
        champion(stores, registry_uri="http://127.0.0.1:9", missing="none").load()


@pytest.mark.parametrize("missing", ["error", "none"])
def test_an_alias_that_something_else_moved_is_refused_with_the_way_back(stores: Stores, missing):
    crown(stores, saved_model(stores, "first"))
    other = stores.registry.register(saved_model(stores, "second"), {}, "card")
    stores.registry.point(other.version)
    with pytest.raises(DatasetError, match=r"names version 2 .* head version 1 .*kedro rollback --to 1"):
        champion(stores, missing=missing).load()


def test_an_alias_without_any_promotion_is_refused(stores: Stores):
    named = stores.registry.register(saved_model(stores), {}, "card")
    stores.registry.point(named.version)
    with pytest.raises(DatasetError, match="head no version"):
        champion(stores, missing="none").load()


def test_nodes_side_by_side_have_one_champion_though_the_alias_moves_between_them(
    stores: Stores, monkeypatch
):
    crown(stores, saved_model(stores, "first"))
    table, ask = champion(stores), registered_model.current_champion

    def look_slowly(*found):
        named = ask(*found)
        time.sleep(0.5)
        return named

    monkeypatch.setattr(registered_model, "current_champion", look_slowly)
    with ThreadPoolExecutor(2) as threads:
        first = threads.submit(table.load)
        time.sleep(0.2)
        second = threads.submit(table.load)
        crown(stores, saved_model(stores, "second"))
    assert first.result() is second.result()
    assert champion(stores).load().version == "2"


def test_a_run_has_the_challengers_that_it_began_with(stores: Stores):
    crown(stores, saved_model(stores, "first"))
    challengers = Challengers(**stores.address, **ledger_address(stores.folder))
    assert challengers.load() == []
    crown(stores, saved_model(stores, "second"), decision="awaiting_approval", champion_after="1")
    assert challengers.load() == []
    anew = Challengers(**stores.address, **ledger_address(stores.folder))
    assert [model.version for model in anew.load()] == ["2"]


def test_a_challenger_that_cannot_be_loaded_holds_no_other_back(stores: Stores, caplog):
    crown(stores, saved_model(stores, "first"))
    for name in ("second", "third"):
        crown(stores, saved_model(stores, name), decision="awaiting_approval", champion_after="1")
    MlflowClient(registry_uri=stores.address["registry_uri"]).delete_model_version(stores.registry.name, "2")
    found = Challengers(**stores.address, **ledger_address(stores.folder)).load()
    assert [model.version for model in found] == ["3"]
    assert "version 2 does not score in shadow: " in caplog.text


@pytest.fixture
def half_way(stores: Stores, monkeypatch) -> Stores:
    """A first champion, and a second promotion that was killed before the alias moved."""
    crown(stores, saved_model(stores, "first"))
    with monkeypatch.context() as patched:
        patched.setattr(type(stores.registry), "point", killed)
        with pytest.raises(KeyboardInterrupt):
            crown(stores, saved_model(stores, "second"))
    return stores


def test_loading_takes_either_end_of_a_move_that_a_killed_promotion_left_and_writes_nothing(
    half_way: Stores, monkeypatch
):
    point = type(half_way.registry).point
    before = ledger_in(half_way.folder).state()
    assert before.pending is not None
    with monkeypatch.context() as patched:
        patched.setattr(DeltaLedger, "append", killed)
        patched.setattr(type(half_way.registry), "point", killed)
        assert champion(half_way).load().version == "1"
        assert Challengers(**half_way.address, **ledger_address(half_way.folder)).load() == []
        point(half_way.registry, "2")
        assert champion(half_way).load().version == "2"
    assert ledger_in(half_way.folder).state() == before


def test_an_alias_at_neither_end_of_a_move_is_refused(half_way: Stores):
    other = half_way.registry.register(saved_model(half_way, "third"), {}, "card")
    half_way.registry.point(other.version)
    with pytest.raises(DatasetError, match=r"names version 3 .* head version 1"):
        champion(half_way).load()
    half_way.client.delete_registered_model_alias("test.ml.lateness", "champion")
    with pytest.raises(DatasetError, match=r"names no version, the ledger's head version 1"):
        champion(half_way).load()


def test_saving_accepts_the_reference_that_the_alias_bears(stores: Stores):
    logged = saved_model(stores)
    crown(stores, logged)
    champion(stores).save(ModelReference("1", logged.digest))


@pytest.mark.parametrize("wrong", [{"version": "2"}, {"digest": "0" * 64}], ids=["version", "digest"])
def test_saving_another_reference_than_the_alias_bears_raises(stores: Stores, wrong):
    logged = saved_model(stores)
    crown(stores, logged)
    reference = ModelReference(**{"version": "1", "digest": logged.digest, **wrong})
    with pytest.raises(DatasetError, match="promotion left it at"):
        champion(stores).save(reference)


def test_the_registry_is_named_after_catalog_and_model(stores: Stores):
    assert ModelRegistry(**stores.address).load().name == "test.ml.lateness"


def test_a_registry_cannot_be_saved(stores: Stores):
    with pytest.raises(DatasetError, match="cannot be saved"):
        ModelRegistry(**stores.address).save("anything")


def test_a_misspelt_argument_is_refused(stores: Stores):
    with pytest.raises(TypeError, match="regsitry_uri"):
        champion(stores, regsitry_uri="sqlite://")


def killed(*_: object) -> None:
    raise KeyboardInterrupt
