from dataclasses import asdict, replace
from datetime import date, timedelta
from pathlib import Path
from types import SimpleNamespace

import pandas as pd
import pytest
from kedro.io import DataCatalog, DatasetError, MemoryDataset
from kedro.runner import SequentialRunner
from kedro_datasets.partitions import PartitionedDataset
from kedro_datasets.text import TextDataset

from lakehouse_ml.champion import Champions, ledger_faults
from lakehouse_ml.datasets import ModelRegistry, PromotionLedger, RegisteredModel
from lakehouse_ml.datasets.promotion_ledger import DeltaLedger
from lakehouse_ml.lakehouse.run import Run
from lakehouse_ml.lakehouse.tables import EVALUATIONS
from lakehouse_ml.last_word import Ask, approve_version, roll_back
from lakehouse_ml.ledger import LedgerConflictError, LedgerError
from lakehouse_ml.model_files import model_digest
from lakehouse_ml.pipelines.promotion import create_pipeline
from lakehouse_ml.pipelines.promotion.evidence import Recorded, Trained, Tried
from lakehouse_ml.registry import Registry
from lakehouse_ml.serving_endpoint import NoEndpoint
from lakehouse_ml.trace.lineage import decision_on, trained_for
from lakehouse_ml.version_copy import Target, copy_files, hand_over
from ledger_builders import ledger_address, ledger_in
from promotion_builders import (
    AS_OF,
    DATA,
    DECLARED,
    FEATURES,
    HOLDOUT_START,
    candidates,
    measurements,
    probes,
    rules,
)
from registry_builders import Stores, make_stores, saved_model

USE_CASE = SimpleNamespace(
    name="flights",
    model_name="lateness",
    owners={"model": "data science"},
    entities="flights",
    labels=SimpleNamespace(column="is_late"),
)
# Tables and artefacts have tests of their own; here their records are given.
GIVEN = ("declare_rows", "record_data", "try_candidates")
REQUIRED = {"required": True, "shadow_rows_min": 0}
PIPELINE = create_pipeline(USE_CASE)
NODES = [node.name for node in PIPELINE.nodes if node.name not in GIVEN]


class Killed(BaseException):
    """Ends the process in the test's place."""


class Stage:
    """The promotion stage over a lakehouse and a registry of its own."""

    def __init__(self, spark, stores: Stores) -> None:
        self.spark, self.stores, self.week = spark, stores, 0
        self.models, self.golden = {}, {}

    def train(self, name: str) -> None:
        """Two new models, a month after the ones before."""
        self.golden |= {model.digest: golden_rows for model in self.models.values()}
        self.models = {
            role: saved_model(self.stores, f"{role}_{name}") for role in ("baseline", "challenger")
        }
        self.shift, self.week = timedelta(days=28 * self.week), self.week + 1

    @property
    def candidates(self) -> dict:
        known = candidates(as_of=(AS_OF + self.shift).isoformat(), run_id=f"run-{self.week}")
        known["train_end"] = known["holdout_start"] = str(HOLDOUT_START + self.shift)
        known["holdout_end"] = str(HOLDOUT_START + timedelta(days=28) + self.shift)
        for role, model in self.models.items():
            known["models"][role] |= {"uri": model.uri, "digest": model.digest}
        return known

    def evaluations(self, gain: float):
        alias = self.stores.registry.aliased()
        digests = {role: model.digest for role, model in self.models.items()}
        digests["champion"] = alias and alias.digest
        holdout = {day: date.fromisoformat(self.candidates[day]) for day in ("holdout_start", "holdout_end")}
        rows = [
            asdict(
                replace(
                    m,
                    model_digest=digests[m.role],
                    compared_digest=digests.get(m.compared_to, ""),
                    **holdout,
                )
            )
            for m in measurements(gain, champion_gain=gain if alias else None)
        ]
        known = {"run_id": self.candidates["run_id"], "as_of": AS_OF, "trained_until": HOLDOUT_START}
        schema = ", ".join(f"`{column.name}` {column.type}" for column in EVALUATIONS.columns)
        ordered = [tuple({**row, **known}[name] for name in EVALUATIONS.names) for row in rows]
        return self.spark.createDataFrame(ordered, schema)

    def promote(self, gain: float = 0.02, registry_uri: str | None = None, **groups) -> None:
        reached = {**self.stores.address, **({"registry_uri": registry_uri} if registry_uri else {})}
        trained = Trained.model_validate(self.candidates)
        catalog = DataCatalog(
            {
                "ml_evaluations": MemoryDataset(self.evaluations(gain), copy_mode="assign"),
                "tried_candidates": MemoryDataset(Tried(trained, {}, probes(trained), FEATURES)),
                "table_records": MemoryDataset(Recorded(self.declared, self.data)),
                "run": MemoryDataset(self.run),
                "params:promotion.rules": MemoryDataset(rules(**groups)),
                "before_ml_champion": RegisteredModel(**{**self.address, **reached}, missing="none"),
                "model_registry": ModelRegistry(**reached),
                "promotion_ledger": PromotionLedger(catalog="test", **ledger_address(self.stores.folder)),
                "model_cards": PartitionedDataset(
                    path=str(self.cards), dataset=TextDataset, filename_suffix=".md"
                ),
                "serving_endpoint": MemoryDataset(NoEndpoint(), copy_mode="assign"),
                "ml_champion": RegisteredModel(**self.address),
            }
        )
        SequentialRunner().run(PIPELINE.filter(node_names=NODES), catalog)

    @property
    def address(self) -> dict[str, str]:
        return {**self.stores.address, **ledger_address(self.stores.folder)}

    @property
    def declared(self):
        start = date.fromisoformat(self.candidates["holdout_start"])
        return replace(DECLARED, labelled_days=tuple(start + timedelta(days=day) for day in range(28)))

    @property
    def data(self):
        return replace(DATA, newest=tuple((source, self.run.as_of) for source, _ in DATA.newest))

    @property
    def run(self) -> Run:
        return Run(f"run-{self.week}", AS_OF + self.shift, {})

    @property
    def champions(self) -> Champions:
        golden = {model.digest: golden_rows for model in self.models.values()}
        return Champions(ledger_in(self.stores.folder), self.stores.registry, self.golden | golden)

    @property
    def cards(self) -> Path:
        return self.stores.folder / "model_cards"

    @property
    def entries(self):
        return ledger_in(self.stores.folder).state().entries

    @property
    def events(self) -> list[tuple]:
        return [
            (e.event, e.decision, e.model_version, e.champion_before, e.champion_after) for e in self.entries
        ]

    @property
    def champion(self) -> str | None:
        alias = self.stores.registry.aliased()
        return alias and alias.version

    @property
    def versions(self) -> int:
        return len(self.stores.client.search_model_versions("name='test.ml.lateness'"))


def golden_rows() -> pd.DataFrame:
    """Rows with the score that the models of these tests give them."""
    return pd.DataFrame({"hour": [1.0, 2.0, 5.0], "wind_kn": [0.0, 1.0, 2.0], "score": [0.1, 0.2, 0.5]})


@pytest.fixture
def stage(spark, stores):
    return Stage(spark, stores)


class CopyStage(Stage):
    """The promotion stage of another environment, over a version that was copied to it."""

    def __init__(self, spark, stores: Stores, models: dict, handed_over: dict) -> None:
        super().__init__(spark, stores)
        self.models, self.handed_over, self.week = models, handed_over, 1
        self.shift = timedelta(days=7)

    @property
    def candidates(self) -> dict:
        return self.handed_over


FIRST = [("decided", "promoted", "1", None, "1"), ("moved", "promoted", "1", None, "1")]


def test_promotes_refuses_and_promotes_again_with_every_step_on_record(stage):
    stage.train("first")
    stage.promote()
    assert (stage.champion, stage.versions) == ("1", 1)
    stage.train("worse")
    stage.promote(gain=-0.02)
    assert (stage.champion, stage.versions) == ("1", 1)
    refused = stage.entries[-1]
    assert refused.model_digest == stage.models["baseline"].digest
    assert any(reason.startswith("FAILED beats_champion: 0 ") for reason in refused.reasons)
    stage.train("better")
    stage.promote()
    assert stage.events == [
        *FIRST,
        ("decided", "refused", None, "1", "1"),
        ("decided", "promoted", "2", "1", "2"),
        ("moved", "promoted", "2", "1", "2"),
    ]
    assert (stage.champion, stage.versions) == ("2", 2)
    assert stage.entries[-1].input_versions == (("gold.features", 3), ("gold.labels", 2))
    assert [entry.actor for entry in stage.entries] == ["job run-1"] * 2 + ["job run-2"] + ["job run-3"] * 2
    assert ledger_faults(stage.champions) == []


def test_deciding_the_same_again_says_so_and_the_version_carries_card_and_evidence(stage, caplog):
    stage.train("first")
    stage.promote()
    assert "not decided on again" not in caplog.text
    stage.promote()
    assert "decided in row 1 of ops.promotion_ledger (promoted)" in caplog.text
    assert "evaluate anew (kedro run --pipelines retrain)" in caplog.text
    assert stage.events == FIRST
    assert (stage.champion, stage.versions) == ("1", 1)
    version = stage.stores.client.get_model_version("test.ml.lateness", "1")
    card = (stage.cards / "version_1.md").read_text()
    assert version.description == card
    assert f"| Digest | {stage.models['challenger'].digest} |" in card
    assert version.tags["evidence_hash"] == stage.entries[0].evidence_hash
    assert (version.tags["run_id"], version.tags["role"]) == ("run-1", "challenger")


def test_a_version_of_another_environment_is_promoted_by_this_ones_gate_and_says_where_it_is_from(
    stage, mlflow_template, tmp_path_factory, monkeypatch
):
    stage.train("first")
    stage.promote()
    monkeypatch.chdir(tmp_path_factory.mktemp("prod"))
    stores = make_stores(mlflow_template, Path.cwd())
    decision = decision_on("1", stage.champions.ledger.state())
    run = Run("run-1", AS_OF + timedelta(days=7), {})
    here = Target(stores.registry, run, {"gold.features": 9, "gold.labels": 8})
    origin = "staging.ml.lateness version 1"
    known = hand_over(trained_for(decision), origin, decision.model_digest, here)
    copied = CopyStage(
        stage.spark, stores, stage.models, copy_files(known, stage.stores.registry, stores.registry, "prod")
    )
    copied.promote()
    assert (copied.events, copied.champion) == (FIRST, "1")
    assert ledger_faults(copied.champions) == []
    # The very files, which are this environment's own now.
    alias = stores.registry.aliased()
    assert alias.digest == decision.model_digest == model_digest(stores.registry.files(alias))
    tags = stores.registry.tags("1")
    row = copied.entries[0]
    assert (tags["copied_from"], tags["evidence_hash"]) == (origin, row.evidence_hash)
    assert tags["evidence_hash"] != stage.stores.registry.tags("1")["evidence_hash"]
    # Its row says where it is from, what it was trained on there and what it was judged on here.
    assert (row.as_of, row.holdout_start, row.holdout_end) == (
        run.as_of,
        date(2013, 9, 10),
        date(2013, 10, 8),
    )
    trained = trained_for(row)
    assert (trained["copied_from"], trained["copied_digest"]) == (origin, decision.model_digest)
    assert trained["judged_versions"] == dict(here.versions)
    assert row.input_versions == decision.input_versions
    assert stage.events == FIRST


def test_a_refused_first_model_leaves_no_champion_to_load(stage):
    stage.train("weak")
    stage.promote(floors={**rules().model_dump(exclude_none=True)["floors"], "roc_auc": {"at_least": 0.8}})
    assert stage.events == [("decided", "refused", None, None, None)]
    assert "FAILED floor_roc_auc" in str(stage.entries[0].reasons)
    assert not stage.cards.exists()
    with pytest.raises(DatasetError, match="has no champion"):
        RegisteredModel(**stage.address).load()


def append_number(number: int):
    """A ledger that is killed before it takes the row of that number."""
    append = DeltaLedger.append

    def killing(ledger, entry, after):
        if (after.sequence if after else 0) + 1 == number:
            raise Killed
        return append(ledger, entry, after)

    return killing


KILLS = {
    "before the version is registered": (Registry, "register", lambda *_: killed()),
    "before the decision is on record": (DeltaLedger, "append", append_number(1)),
    "before the alias moves": (Registry, "point", lambda *_: killed()),
    "before the move is on record": (DeltaLedger, "append", append_number(2)),
}


@pytest.mark.parametrize("moment", KILLS)
def test_a_promotion_that_is_killed_is_finished_by_the_next_start(stage, monkeypatch, moment):
    stage.train("first")
    with monkeypatch.context() as patched:
        patched.setattr(*KILLS[moment])
        with pytest.raises(Killed):
            stage.promote()
    stage.promote()
    assert stage.events == FIRST
    assert (stage.champion, stage.versions) == ("1", 1)
    assert ledger_faults(stage.champions) == []


def test_a_move_to_a_version_that_is_no_longer_what_was_judged_is_given_up(stage, monkeypatch):
    stage.train("first")
    stage.promote()
    stage.train("second")
    with monkeypatch.context() as patched:
        patched.setattr(Registry, "point", lambda *_: killed())
        with pytest.raises(Killed):
            stage.promote()
    stage.stores.client.set_model_version_tag("test.ml.lateness", "2", "digest", "0" * 64)
    assert RegisteredModel(**stage.address).load().version == "1"
    assert stage.events[-1][0] == "decided"
    stage.promote()
    assert stage.events[-1] == ("abandoned", "promoted", "2", "1", "1")
    assert "judged was" in stage.entries[-1].reasons[0]


def test_of_two_promotions_at_once_one_wins_and_the_other_gets_a_conflict(stage, monkeypatch):
    stage.train("first")
    stage.promote()
    stage.train("second")
    append = DeltaLedger.append

    def overtaken(ledger, entry, after):
        append(ledger, replace(entry, decision="refused", actor="job of the other", subject="o" * 64), after)
        return append(ledger, entry, after)

    monkeypatch.setattr(DeltaLedger, "append", overtaken)
    with pytest.raises(LedgerConflictError, match=r"Row 3 .* written by job of the other at the same time"):
        stage.promote()
    assert stage.champion == "1"
    assert [entry.decision for entry in stage.entries] == ["promoted", "promoted", "refused"]


def test_delta_itself_refuses_to_change_or_remove_a_row(stage):
    stage.train("first")
    stage.promote()
    table = stage.stores.folder / "lakehouse/test/ops/promotion_ledger"
    for statement in ("DELETE FROM delta.`{}`", "UPDATE delta.`{}` SET actor = 'nobody'"):
        with pytest.raises(Exception, match=r"(?i)append-only|appendOnly|APPEND_ONLY"):
            stage.spark.sql(statement.format(table))


def test_where_a_person_has_the_last_word_the_alias_waits_for_it(stage):
    stage.train("first")
    with pytest.raises(DatasetError, match="awaits its approval"):
        approve_then_load(stage)
    assert stage.events == [("decided", "awaiting_approval", "1", None, None)]
    assert (stage.champion, stage.versions) == (None, 1)
    approved = approve_version("1", Ask("Ada", "looks right", stage.run), stage.champions, unseen)
    assert (approved.actor, approved.reasons) == ("Ada", ("looks right", "beside None"))
    assert approved.evidence_hash == stage.entries[0].evidence_hash
    assert stage.events[1:] == [
        ("approved", "awaiting_approval", "1", None, "1"),
        ("moved", "awaiting_approval", "1", None, "1"),
    ]
    assert stage.champion == "1"
    with pytest.raises(LedgerError, match="Version 1 awaits no approval; no version does"):
        approve_version("1", Ask("Ada", "again", stage.run), stage.champions, unseen)


def unseen(decided):
    """Shadow results that nobody asks for."""
    return f"beside {decided.champion_before}"


def approve_then_load(stage):
    stage.promote(approval=REQUIRED)
    RegisteredModel(**stage.address).load()


def test_an_approval_is_void_when_the_evidence_is_another_now(stage):
    stage.train("first")
    stage.promote(approval=REQUIRED)
    stage.stores.client.set_model_version_tag("test.ml.lateness", "1", "evidence_hash", "0" * 64)
    with pytest.raises(LedgerError, match="the approval is void"):
        approve_version("1", Ask("Ada", "fine", stage.run), stage.champions, unseen)
    assert stage.champion is None


def test_an_approval_is_void_when_the_champion_is_another_now(stage):
    stage.train("first")
    stage.promote(approval=REQUIRED)
    stage.train("second")
    stage.promote()
    with pytest.raises(LedgerError, match="compared with champion None, the champion is 2 now"):
        approve_version("1", Ask("Ada", "fine", stage.run), stage.champions, unseen)


def test_a_version_that_awaits_nothing_cannot_be_approved(stage):
    stage.train("first")
    stage.promote()
    for version in ("1", "7"):
        with pytest.raises(LedgerError, match=f"Version {version} awaits no approval"):
            approve_version(version, Ask("Ada", "fine", stage.run), stage.champions, unseen)


def test_a_registry_that_cannot_be_reached_promotes_nothing_and_leaves_no_row(stage, monkeypatch):
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    stage.train("first")
    with pytest.raises(Exception, match="the registry or its storage failed"):
        stage.promote(registry_uri="http://127.0.0.1:9")
    assert (stage.events, stage.champion) == ([], None)


def test_a_ledger_that_cannot_be_written_moves_no_alias(stage, monkeypatch):
    stage.train("first")
    stage.promote()
    stage.train("second")
    monkeypatch.setattr("lakehouse_ml.datasets.delta_table.DeltaTable.merge_new", full_disk)
    with pytest.raises(OSError, match="No space left"):
        stage.promote()
    assert (stage.champion, stage.events) == ("1", FIRST)


def full_disk(*_: object) -> None:
    raise OSError(28, "No space left on device")


@pytest.fixture
def two(stage):
    """Two promotions, one after the other."""
    for name in ("first", "second"):
        stage.train(name)
        stage.promote()
    return stage


def test_a_roll_back_tries_the_former_champion_out_and_puts_it_back(two):
    entry = roll_back(None, Ask("Ada", "too many misses", two.run), two.champions)
    assert two.champion == "1"
    assert (entry.decision, entry.actor, entry.reasons[0]) == ("rolled_back", "Ada", "too many misses")
    assert two.events[-1] == ("moved", "rolled_back", "1", "2", "1")
    assert RegisteredModel(**two.address).load().version == "1"
    assert ledger_faults(two.champions) == []


def test_a_roll_back_that_is_asked_for_twice_does_not_bring_back_what_was_taken_back(two):
    ask = Ask("Ada", "too many misses", two.run)
    roll_back(None, ask, two.champions)
    with pytest.raises(
        LedgerError, match=r"No version was champion before that was not taken back.*were: 1, 2"
    ):
        roll_back(None, ask, two.champions)
    assert two.champion == "1"


def test_a_model_that_was_rolled_back_needs_a_new_evaluation(two):
    roll_back("1", Ask("Ada", "too many misses", two.run), two.champions)
    two.promote()
    assert two.champion == "1"
    # The same models and evaluation in another run: a decision that was not made before.
    two.week = 9
    two.promote()
    assert "FAILED not_taken_back" in str(two.entries[-1].reasons)
    assert two.champion == "1"


def test_a_version_that_was_never_champion_is_no_way_back(two):
    with pytest.raises(LedgerError, match=r"Version 3 was never champion, so .* champions were: 1, 2"):
        roll_back("3", Ask("Ada", "why not", two.run), two.champions)
    with pytest.raises(LedgerError, match="Version 2 is champion already"):
        roll_back("2", Ask("Ada", "why not", two.run), two.champions)


def test_a_former_champion_that_does_not_do_what_it_did_is_no_way_back(two):
    champions = two.champions
    other = {digest: lambda: golden_rows().assign(score=0.3) for digest in champions.golden_rows}
    with pytest.raises(LedgerError, match=r"does not do what it did: 0 odd scores, scores differ by 0\.2"):
        roll_back(None, Ask("Ada", "why not", two.run), replace(champions, golden_rows=other))
    assert two.champion == "2"


def test_verify_tells_an_alias_or_a_file_that_was_changed_behind_the_ledger(two):
    two.stores.registry.point("1")
    assert "something moved it without a promotion" in ledger_faults(two.champions)[0]
    two.stores.registry.point("2")
    (Path(two.models["challenger"].uri) / "MLmodel").write_text("flavors: {}")
    assert "they were changed" in str(ledger_faults(two.champions))


def killed():
    raise Killed
