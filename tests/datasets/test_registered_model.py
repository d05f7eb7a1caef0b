import pytest
from kedro.io import DatasetError

from lakehouse_ml.datasets import ModelRegistry, RegisteredModel
from lakehouse_ml.registry import ModelReference
from registry_builders import Stores, promote, saved_model


def test_loads_the_version_that_bears_the_alias(stores: Stores):
    promote(stores, saved_model(stores, "first"))
    logged = saved_model(stores, "second")
    promote(stores, logged)
    champion = RegisteredModel(**stores.address).load()
    assert (champion.version, champion.digest) == ("2", logged.digest)


def test_says_how_to_get_a_champion_when_there_is_none(stores: Stores):
    with pytest.raises(DatasetError, match=r"has no champion: .*kedro run --pipelines retrain"):
        RegisteredModel(**stores.address).load()


def test_gives_none_before_the_first_promotion_when_told_to(stores: Stores):
    assert RegisteredModel(**stores.address, missing="none").load() is None


def test_raises_when_the_registry_is_out_of_reach_even_when_none_is_allowed(stores: Stores, monkeypatch):
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    address = {**stores.address, "registry_uri": "http://127.0.0.1:9"}
    with pytest.raises(DatasetError, match="the registry or its storage failed"):
        RegisteredModel(**address, missing="none").load()


def test_saving_accepts_the_reference_that_the_alias_bears(stores: Stores):
    logged = saved_model(stores)
    promote(stores, logged)
    RegisteredModel(**stores.address).save(ModelReference("1", logged.digest))


@pytest.mark.parametrize("wrong", [{"version": "2"}, {"digest": "0" * 64}], ids=["version", "digest"])
def test_saving_another_reference_than_the_alias_bears_raises(stores: Stores, wrong):
    logged = saved_model(stores)
    promote(stores, logged)
    reference = ModelReference(**{"version": "1", "digest": logged.digest, **wrong})
    with pytest.raises(DatasetError, match="something else moved the alias"):
        RegisteredModel(**stores.address).save(reference)


def test_the_registry_is_named_after_catalog_and_model(stores: Stores):
    assert ModelRegistry(**stores.address).load().name == "test.ml.lateness"


def test_a_registry_cannot_be_saved(stores: Stores):
    with pytest.raises(DatasetError, match="cannot be saved"):
        ModelRegistry(**stores.address).save("anything")


def test_a_misspelt_argument_is_refused(stores: Stores):
    with pytest.raises(TypeError, match="regsitry_uri"):
        RegisteredModel(**stores.address, regsitry_uri="sqlite://")
