import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from lakehouse_ml.datasets.recorded_table import recorded_versions
from lakehouse_ml.lakehouse.run import Run
from lakehouse_ml.model_files import RegistryError, candidate_folder, model_digest
from lakehouse_ml.pipelines.promotion.decide import decide
from lakehouse_ml.version_copy import CopyError, Target, copy_files, hand_over, refuse_unpromoted
from ledger_builders import chain, entry
from promotion_builders import candidates, first_evidence, rules
from registry_builders import Stores, make_stores, saved_model

TRAINED = candidates()
ORIGIN = "staging.ml.lateness version 3"
DIGEST = TRAINED["models"]["challenger"]["digest"]


def target(day: int = 8, month: int = 10, registry=None) -> Target:
    return Target(registry, Run("prod-run", datetime(2013, month, day, tzinfo=UTC), {}), {"gold.features": 9})


def test_the_holdout_is_as_long_as_it_was_and_ends_at_the_targets_now():
    found = hand_over(TRAINED, ORIGIN, DIGEST, target())
    assert (found["holdout_start"], found["holdout_end"]) == ("2013-09-10", "2013-10-08")
    assert (found["run_id"], found["judged_versions"]) == ("prod-run", {"gold.features": 9})
    assert (found["copied_from"], found["copied_digest"]) == (ORIGIN, DIGEST)
    # What made the models stays what it was.
    made = ("train_start", "train_end", "git_commit", "pins_hash", "seed", "models")
    for name in (*made, "input_versions", "source_versions"):
        assert found[name] == TRAINED[name]


def test_what_the_copy_is_judged_on_is_read_at_the_targets_versions(tmp_path):
    record = tmp_path / "candidates.json"
    for known, versions in ((TRAINED, TRAINED["input_versions"]), (COPY, {"gold.features": 9})):
        record.write_text(json.dumps(known))
        assert recorded_versions(record) == versions


def test_a_copy_of_a_copy_keeps_what_the_models_were_trained_on():
    again = hand_over(COPY, "prod.ml.lateness version 1", DIGEST, target(day=20))
    assert again["copied_from"] == "prod.ml.lateness version 1"
    assert again["input_versions"] == TRAINED["input_versions"]


def test_the_holdout_never_reaches_into_the_training():
    assert (
        hand_over(TRAINED, ORIGIN, DIGEST, target(day=12, month=9))["holdout_start"] == TRAINED["train_end"]
    )


def test_without_a_day_after_the_training_nothing_can_be_judged():
    with pytest.raises(CopyError, match=r"trained until 2013-09-03, the target's now is 2013-09-03"):
        hand_over(TRAINED, ORIGIN, DIGEST, target(day=3, month=9))


def moved(version: str, before: str | None, **changes):
    row = entry(event="moved", model_version=version, model_digest=version * 64, **changes)
    return replace(row, champion_before=before, champion_after=version)


WAITS = entry(
    decision="awaiting_approval",
    model_version="3",
    model_digest="3" * 64,
    champion_before="2",
    champion_after="2",
)
STATE = chain(moved("1", None), moved("2", "1"), WAITS, moved("1", "2", decision="rolled_back", actor="Ada"))


def test_a_former_champion_may_be_copied():
    refuse_unpromoted("1", STATE)
    refuse_unpromoted("1", chain(*STATE.entries, moved("4", "1")))


@pytest.mark.parametrize(
    ("version", "told"),
    [
        (
            "3",
            "Version 3 was never promoted where it is, so nobody else takes it; champions there were: 1, 2",
        ),
        ("2", "Version 2 was taken back where it is, by Ada in row 4 .* that took its place, 1, or"),
    ],
    ids=["awaits approval", "taken back"],
)
def test_what_is_no_good_where_it_is_goes_nowhere_else(version, told):
    with pytest.raises(CopyError, match=told):
        refuse_unpromoted(version, STATE)


COPY = hand_over(TRAINED, ORIGIN, DIGEST, target())


def judged(asked_for: str):
    """The decision on a copy of one of two models, of which the challenger is the better."""
    evidence = first_evidence()
    copied = {"copied_from": ORIGIN, "copied_digest": evidence.digests[asked_for]}
    return decide(replace(evidence, trained=evidence.trained.model_copy(update=copied)), rules())


def test_no_other_model_than_the_one_that_was_asked_for_is_promoted():
    assert (judged("challenger").outcome, judged("challenger").elected) == ("promoted", "challenger")
    refused = judged("baseline")
    assert refused.outcome == "refused"
    assert [v.rule for v in refused.verdicts if not v.passed] == ["elected_is_the_copied"]
    assert f"{ORIGIN} has digest bbbbbbbbbbbb, elected here is challenger, cccccccccccc" in refused.reasons[1]


@pytest.fixture
def environments(mlflow_template: Path, tmp_path: Path) -> tuple[Stores, Stores]:
    """Two environments, each with stores of its own."""
    for name in ("staging", "prod"):
        (tmp_path / name).mkdir()
    return make_stores(mlflow_template, tmp_path / "staging"), make_stores(mlflow_template, tmp_path / "prod")


def handed_over(staging: Stores) -> dict:
    known = hand_over(candidates(), ORIGIN, DIGEST, target())
    for role, model in known["models"].items():
        saved = saved_model(staging, role)
        model |= {"uri": saved.uri, "digest": saved.digest}
    return known


def test_files_arrive_with_the_same_digest_and_say_where_they_come_from(environments, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    staging, prod = environments
    known = handed_over(staging)
    found = copy_files(known, staging.registry, prod.registry, "prod")
    for role, model in found["models"].items():
        folder = candidate_folder(model["uri"], prod.tracking_uri)
        assert model_digest(folder) == model["digest"] == known["models"][role]["digest"]
        assert str(staging.folder) not in str(folder)
    tags = prod.client.get_run(found["mlflow_run_id"]).data.tags
    assert (tags["copied_from"], tags["copied_run"]) == (ORIGIN, known["mlflow_run_id"])


def test_a_file_that_is_not_what_was_promoted_is_not_taken(environments, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    staging, prod = environments
    known = handed_over(staging)
    (Path(known["models"]["challenger"]["uri"]) / "model.skops").write_bytes(b"other")
    with pytest.raises(RegistryError, match="challenger: its files have digest"):
        copy_files(known, staging.registry, prod.registry, "prod")
