from dataclasses import replace
from datetime import date
from pathlib import Path

import mlflow
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from mlflow.exceptions import MlflowException
from mlflow.protos.databricks_pb2 import INVALID_PARAMETER_VALUE

from lakehouse_ml.model_files import RegistryError, candidate_folder, load_candidate, model_digest
from lakehouse_ml.registry import ModelReference, NoSuchVersionError, Registry
from registry_builders import NAME, Stores, logged_model, promote, saved_model


def write_files(folder: Path, files: dict[str, bytes]) -> Path:
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    return folder


FILES = {"MLmodel": b"flavors", "data/model.pkl": b"\0\1"}


def test_digest_is_that_of_the_files_wherever_they_are(tmp_path):
    assert model_digest(write_files(tmp_path / "a", FILES)) == model_digest(
        write_files(tmp_path / "b", dict(reversed(FILES.items())))
    )


def test_digest_leaves_out_what_a_registry_adds(tmp_path):
    plain = model_digest(write_files(tmp_path, FILES))
    assert model_digest(write_files(tmp_path, {"registered_model_meta": b"version: 3"})) == plain


@pytest.mark.parametrize(
    "change",
    [{"data/model.pkl": b"\0\2"}, {"extra.txt": b""}, {"MLmodel": b"flavors "}],
    ids=["other bytes", "one more file", "one more byte"],
)
def test_digest_changes_with_any_file(tmp_path, change):
    before = model_digest(write_files(tmp_path, FILES))
    assert model_digest(write_files(tmp_path, change)) != before


@given(st.binary(max_size=20), st.binary(max_size=20))
def test_digest_sees_where_one_file_ends_and_the_next_begins(tmp_path_factory, first, second):
    one = write_files(tmp_path_factory.mktemp("one"), {"a": first, "b": second})
    two = write_files(tmp_path_factory.mktemp("two"), {"a": first + second, "b": b""})
    assert (model_digest(one) == model_digest(two)) == (second == b"")


def test_an_empty_folder_has_no_digest(tmp_path):
    with pytest.raises(RegistryError, match="holds no model files"):
        model_digest(tmp_path)


def test_a_logged_model_is_loaded_and_registered_whatever_store_the_process_is_at(stores: Stores, tmp_path):
    logged = logged_model(stores)
    mlflow.set_tracking_uri(f"sqlite:///{tmp_path}/of_another_environment.db")
    model = load_candidate(logged.uri, stores.tracking_uri)
    assert model.predict(pd.DataFrame({"hour": [3.0], "wind_kn": [1.0]})) == pytest.approx([0.3])
    promote(stores, logged)
    assert stores.registry.load(stores.registry.aliased()).digest == logged.digest


def test_a_candidate_that_is_gone_raises_by_name(stores: Stores):
    with pytest.raises(RegistryError, match="candidate models:/m-nowhere"):
        load_candidate("models:/m-nowhere", stores.tracking_uri)


def test_a_candidate_that_cannot_be_read_raises(stores: Stores):
    logged = saved_model(stores)
    (candidate_folder(logged.uri, stores.tracking_uri) / "model.skops").write_bytes(b"no archive")
    with pytest.raises(RegistryError, match="the model cannot be loaded"):
        load_candidate(logged.uri, stores.tracking_uri)


def test_there_is_no_champion_before_the_first_version(stores: Stores):
    assert stores.registry.aliased() is None


def test_a_version_without_the_alias_is_no_champion(stores: Stores):
    stores.registry.register(saved_model(stores), {}, "card")
    assert stores.registry.aliased() is None


def test_a_registered_model_loads_with_what_training_said_about_it(stores: Stores):
    logged = saved_model(stores)
    version = promote(stores, logged)
    champion = stores.registry.load(stores.registry.aliased())
    assert (champion.version, champion.digest, champion.role) == (version, logged.digest, "challenger")
    assert (champion.trained_from, champion.trained_until) == (date(2013, 1, 1), date(2013, 9, 3))
    assert (champion.threshold, champion.base_rate) == (0.4, 0.24)
    assert champion.feature_names == ("hour", "wind_kn")
    assert champion.model.predict(pd.DataFrame({"hour": [2.0], "wind_kn": [0.0]})) == pytest.approx([0.2])


def test_registering_twice_gives_one_version(stores: Stores):
    logged, registry = saved_model(stores), stores.registry
    first = registry.register(logged, {"role": "challenger"}, "card")
    assert registry.register(logged, {"role": "challenger"}, "card") == first
    client = stores.client
    versions = client.search_model_versions(f"name='{registry.name}'")
    assert [(v.version, v.description) for v in versions] == [(1, "card")]
    assert client.get_model_version(registry.name, "1").tags == {
        "digest": logged.digest,
        "role": "challenger",
    }


def test_two_models_become_two_versions(stores: Stores):
    assert [promote(stores, saved_model(stores, name)) for name in ("first", "second")] == ["1", "2"]
    assert stores.registry.aliased().version == "2"


def test_files_changed_since_the_evaluation_are_not_registered(stores: Stores):
    logged = replace(saved_model(stores), digest="0" * 64)
    with pytest.raises(RegistryError, match="not those with digest 000"):
        stores.registry.register(logged, {}, "card")
    assert stores.registry.aliased() is None


def test_files_changed_since_the_promotion_are_not_loaded(stores: Stores):
    logged = saved_model(stores)
    promote(stores, logged)
    (candidate_folder(logged.uri, stores.tracking_uri) / "requirements.txt").write_text("evil")
    with pytest.raises(RegistryError, match="they were changed"):
        stores.registry.load(stores.registry.aliased())


@pytest.mark.parametrize("fact", ["threshold", "trained_until", "base_rate"])
def test_a_model_without_a_fact_about_its_training_is_not_loaded(stores: Stores, fact):
    promote(stores, saved_model(stores, **{fact: None}))
    with pytest.raises(RegistryError, match=f"without metadata {fact}"):
        stores.registry.load(stores.registry.aliased())


def test_a_version_that_promotion_did_not_register_is_not_trusted(stores: Stores):
    client = stores.client
    client.create_registered_model(NAME)
    client.create_model_version(NAME, str(stores.folder))
    client.set_registered_model_alias(NAME, "champion", "1")
    with pytest.raises(RegistryError, match="no tag digest"):
        stores.registry.aliased()


def test_pointing_at_an_unknown_version_raises(stores: Stores):
    promote(stores, saved_model(stores))
    with pytest.raises(RegistryError, match="to 9 at"):
        stores.registry.point("9")
    with pytest.raises(NoSuchVersionError, match="version 9 is not in the registry"):
        stores.registry.reference("9")
    assert stores.registry.aliased().version == "1"


@pytest.mark.slow
@pytest.mark.parametrize("uri", ["http://127.0.0.1:9", "sqlite:///{}/garbage.db"], ids=["refused", "corrupt"])
def test_a_registry_out_of_reach_never_reads_as_no_champion(tmp_path, monkeypatch, uri):
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    monkeypatch.setattr("mlflow.store.db.utils.MAX_RETRY_COUNT", 1)
    (tmp_path / "garbage.db").write_text("not a database" * 1000)
    registry = Registry(NAME, uri.format(tmp_path), "sqlite://")
    with pytest.raises(RegistryError, match="the registry or its storage failed"):
        registry.aliased()


def test_an_answer_that_contradicts_the_list_of_aliases_raises(stores: Stores, monkeypatch):
    promote(stores, saved_model(stores))

    def refuse(*_):
        raise MlflowException("cannot say", error_code=INVALID_PARAMETER_VALUE)

    monkeypatch.setattr("mlflow.tracking.MlflowClient.get_model_version_by_alias", refuse)
    with pytest.raises(RegistryError, match="cannot say"):
        stores.registry.aliased()


def test_references_compare_by_version_and_digest():
    assert ModelReference("1", "a") != ModelReference("1", "b")
