"""Which versions serve, on a real registry."""

from pathlib import Path

import pytest

from lakehouse_ml.model_files import RegistryError, candidate_folder
from lakehouse_ml.serving.versions import Versions
from registry_builders import NAME, Stores, promote, saved_model

FEATURES = ("hour", "wind_kn", "carrier")


def registered(stores: Stores, name: str) -> str:
    return stores.registry.register(saved_model(stores, name), {}, "card").version


def serving(versions: Versions) -> tuple[str, str | None]:
    challenger = versions.served.challenger
    return versions.served.champion.version, challenger and challenger.version


def test_the_version_that_the_alias_names_is_served_and_a_move_is_followed(stores: Stores) -> None:
    promote(stores, saved_model(stores, "first"))
    versions = Versions(stores.registry, FEATURES)
    loaded = versions.served.champion
    versions.follow()
    assert versions.served.champion is loaded
    promote(stores, saved_model(stores, "second"))
    versions.follow()
    assert serving(versions) == ("2", None)
    stores.registry.point("1")
    versions.follow()
    assert serving(versions) == ("1", None)


def test_without_a_champion_nothing_is_served(stores: Stores) -> None:
    registered(stores, "first")
    with pytest.raises(RegistryError, match="has no champion: train and promote"):
        Versions(stores.registry, FEATURES)


def test_a_version_that_cannot_be_served_leaves_the_old_one_with_the_fault(stores: Stores) -> None:
    promote(stores, saved_model(stores, "first"))
    versions = Versions(stores.registry, FEATURES)
    changed = saved_model(stores, "changed")
    promote(stores, changed)
    (candidate_folder(changed.uri) / "requirements.txt").write_text("evil")
    versions.follow()
    assert serving(versions) == ("1", None)
    assert "version 2: its files have digest" in versions.served.fault
    promote(stores, saved_model(stores, "third"))
    versions.follow()
    assert (serving(versions), versions.served.fault) == (("3", None), "")


def test_a_lost_alias_or_registry_leaves_the_old_one_with_the_fault(stores: Stores) -> None:
    promote(stores, saved_model(stores, "first"))
    versions = Versions(stores.registry, FEATURES)
    stores.client.delete_registered_model_alias(NAME, "champion")
    versions.follow()
    assert "has no champion" in versions.served.fault
    Path(stores.folder / "registry.db").write_text("gone" * 1000)
    versions.follow()
    assert "the registry or its storage failed" in versions.served.fault
    assert serving(versions) == ("1", None)


def test_a_fault_without_words_is_told_by_its_kind(stores: Stores, monkeypatch: pytest.MonkeyPatch) -> None:
    promote(stores, saved_model(stores, "first"))
    versions = Versions(stores.registry, FEATURES)

    def is_exhausted() -> None:
        raise MemoryError

    monkeypatch.setattr(versions, "_named", is_exhausted)
    versions.follow()
    assert versions.served.fault == "MemoryError()"


def test_a_version_that_reads_what_requests_do_not_carry_is_refused(stores: Stores) -> None:
    promote(stores, saved_model(stores, "first"))
    with pytest.raises(RegistryError, match="version 1 reads wind_kn, which no feature contract has"):
        Versions(stores.registry, ("hour",))


def test_the_challenger_is_the_one_that_is_named(stores: Stores) -> None:
    promote(stores, saved_model(stores, "first"))
    registered(stores, "second")
    registered(stores, "third")
    assert serving(Versions(stores.registry, FEATURES, 10, "2")) == ("1", "2")
    with pytest.raises(RegistryError, match="version 9"):
        Versions(stores.registry, FEATURES, 10, "9")


def test_neither_the_champion_nor_a_version_that_nobody_named_makes_a_canary(stores: Stores) -> None:
    promote(stores, saved_model(stores, "first"))
    # Perhaps refused, perhaps taken back: the registry does not tell.
    registered(stores, "second")
    with pytest.raises(
        RegistryError, match=r"asked for is none, the champion is 1; name another .*\(2; `kedro ledger"
    ):
        Versions(stores.registry, FEATURES, 10)
    with pytest.raises(RegistryError, match="no canary without a challenger: asked for is 1"):
        Versions(stores.registry, FEATURES, 10, "1")


def test_a_challenger_that_was_promoted_and_taken_back_gets_no_share_again(stores: Stores) -> None:
    promote(stores, saved_model(stores, "first"))
    second = registered(stores, "second")
    versions = Versions(stores.registry, FEATURES, 10, "2")
    assert serving(versions) == ("1", "2")
    stores.registry.point(second)
    versions.follow()
    assert serving(versions) == ("2", None)
    stores.registry.point("1")
    versions.follow()
    assert serving(versions) == ("1", None)
