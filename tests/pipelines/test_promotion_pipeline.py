from dataclasses import asdict, replace
from datetime import date, timedelta
from pathlib import Path
from types import SimpleNamespace

import pytest
from kedro.io import DataCatalog, DatasetError, MemoryDataset
from kedro.runner import SequentialRunner
from kedro_datasets.partitions import PartitionedDataset
from kedro_datasets.text import TextDataset
from pyspark.sql import functions as F

from lakehouse_ml.datasets import DeltaTable, ModelRegistry, RegisteredModel
from lakehouse_ml.lakehouse.contract import by_table
from lakehouse_ml.lakehouse.run import Run
from lakehouse_ml.lakehouse.tables import EVALUATIONS, TABLES
from lakehouse_ml.pipelines.promotion import create_pipeline
from lakehouse_ml.pipelines.promotion.apply import apply_decision
from lakehouse_ml.registry import Registry, RegistryError
from promotion_builders import AS_OF, HOLDOUT_START, candidates, measurements, rules
from registry_builders import Stores, saved_model

CONTRACTS = by_table(TABLES)
USE_CASE = SimpleNamespace(name="flights", model_name="lateness", owners={"model": "data science"})


class Killed(BaseException):
    """Ends the process in the test's place."""


class Stage:
    """The promotion stage over a lakehouse and a registry of its own."""

    def __init__(self, spark, stores: Stores) -> None:
        self.spark, self.stores, self.week = spark, stores, 0
        self.models = {}

    def train(self, name: str) -> None:
        """Two new models, a month after the ones before."""
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

    def promote(self, gain: float = 0.02) -> None:
        catalog = DataCatalog(
            {
                "ml_evaluations": MemoryDataset(self.evaluations(gain), copy_mode="assign"),
                "ml_candidates": MemoryDataset(self.candidates),
                "run": MemoryDataset(Run(f"run-{self.week}", AS_OF + self.shift, {})),
                "params:promotion.rules": MemoryDataset(rules()),
                "before_ml_champion": RegisteredModel(**self.stores.address, missing="none"),
                "before_ops_promotion_ledger": self.ledger(missing="empty"),
                "model_registry": ModelRegistry(**self.stores.address),
                "model_cards": PartitionedDataset(
                    path=str(self.cards), dataset=TextDataset, filename_suffix=".md"
                ),
                "ops_promotion_ledger": self.ledger(mode="insert"),
                "ml_champion": RegisteredModel(**self.stores.address),
            }
        )
        SequentialRunner().run(create_pipeline(USE_CASE), catalog)

    def ledger(self, **options) -> DeltaTable:
        return DeltaTable(
            catalog="test",
            root=str(self.stores.folder / "lakehouse"),
            schema="ops",
            table="promotion_ledger",
            contracts=f"{__name__}.CONTRACTS",
            **options,
        )

    @property
    def cards(self) -> Path:
        return self.stores.folder / "model_cards"

    @property
    def decisions(self) -> list[tuple]:
        shown = ("sequence", "decision", "elected", "model_version", "champion_before", "champion_after")
        return [tuple(row) for row in self.ledger().load().orderBy("sequence").select(*shown).collect()]

    def newest(self, column: str):
        return self.ledger().load().orderBy(F.desc("sequence")).first()[column]

    @property
    def champion(self) -> str | None:
        alias = self.stores.registry.aliased()
        return alias and alias.version

    @property
    def versions(self) -> int:
        return len(self.stores.client.search_model_versions("name='test.ml.lateness'"))


@pytest.fixture
def stage(spark, stores):
    return Stage(spark, stores)


def test_promotes_refuses_and_promotes_again_with_every_decision_on_record(stage):
    stage.train("first")
    stage.promote()
    assert (stage.champion, stage.versions) == ("1", 1)
    stage.train("worse")
    stage.promote(gain=-0.02)
    assert (stage.champion, stage.versions) == ("1", 1)
    assert stage.newest("model_digest") == stage.models["baseline"].digest
    assert any(reason.startswith("FAILED beats_champion: 0 ") for reason in stage.newest("reasons"))
    stage.train("better")
    stage.promote()
    assert stage.decisions == [
        (1, "promoted", "challenger", "1", None, "1"),
        (2, "refused", "baseline", None, "1", "1"),
        (3, "promoted", "challenger", "2", "1", "2"),
    ]
    assert (stage.champion, stage.versions) == ("2", 2)
    assert stage.newest("input_versions") == {"gold.features": 3, "gold.labels": 2}


def test_deciding_the_same_again_changes_nothing_and_the_version_carries_card_and_evidence(stage):
    stage.train("first")
    stage.promote()
    stage.promote()
    assert stage.decisions == [(1, "promoted", "challenger", "1", None, "1")]
    assert (stage.champion, stage.versions) == ("1", 1)
    version = stage.stores.client.get_model_version("test.ml.lateness", "1")
    card = (stage.cards / "version_1.md").read_text()
    assert version.description == card
    assert f"| Digest | {stage.models['challenger'].digest} |" in card
    assert version.tags["evidence_hash"] == stage.newest("evidence_hash")
    assert (version.tags["run_id"], version.tags["role"]) == ("run-1", "challenger")


def test_a_refused_first_model_leaves_no_champion_to_load(stage):
    stage.train("weak")
    (Path(stage.models["challenger"].uri) / "model.pkl").write_bytes(b"broken")
    stage.promote()
    assert stage.decisions == [(1, "refused", "challenger", None, None, None)]
    assert "FAILED candidates_intact: challenger: " in str(stage.newest("reasons"))
    assert not stage.cards.exists()
    with pytest.raises(DatasetError, match="has no champion"):
        RegisteredModel(**stage.stores.address).load()


def test_a_run_killed_before_the_ledger_is_written_starts_over(stage, monkeypatch):
    stage.train("first")
    with monkeypatch.context() as patched:
        patched.setattr(DeltaTable, "_append", lambda *_: killed())
        with pytest.raises(Killed):
            stage.promote()
    assert (stage.champion, stage.versions) == (None, 1)
    stage.promote()
    assert stage.decisions == [(1, "promoted", "challenger", "1", None, "1")]
    assert (stage.champion, stage.versions) == ("1", 1)


def test_a_run_killed_before_the_alias_moved_is_finished_by_the_next(stage, monkeypatch):
    stage.train("first")
    with monkeypatch.context() as patched:
        patched.setattr(Registry, "point", lambda *_: killed())
        with pytest.raises(Killed):
            stage.promote()
    assert stage.champion is None
    stage.promote()
    assert stage.decisions == [(1, "promoted", "challenger", "1", None, "1")]
    assert stage.champion == "1"


def test_new_models_after_a_kill_wait_until_the_alias_follows_the_ledger(stage, monkeypatch):
    stage.train("first")
    with monkeypatch.context() as patched:
        patched.setattr(Registry, "point", lambda *_: killed())
        with pytest.raises(Killed):
            stage.promote()
    stage.train("second")
    stage.promote()
    assert stage.decisions[1] == (2, "refused", "challenger", None, "1", "1")
    assert "FAILED champion_follows_ledger" in str(stage.newest("reasons"))
    assert stage.champion == "1"


def test_of_two_promotions_at_once_the_second_raises_and_moves_nothing(stage, monkeypatch):
    stage.train("first")
    stage.promote()
    stage.train("second")
    insert = DeltaTable._insert

    def overtaken(table, frame):
        insert(table, frame.withColumn("subject", F.lit("of the other promotion")))
        insert(table, frame)

    monkeypatch.setattr(DeltaTable, "_insert", overtaken)
    with pytest.raises(Exception, match="another promotion wrote row 2 at the same time"):
        stage.promote()
    assert stage.champion == "1"


def test_a_version_with_other_files_than_the_ledger_promoted_never_gets_the_alias(stage):
    stage.train("first")
    stage.promote()
    other = stage.ledger().load().withColumn("model_digest", F.lit("0" * 64))
    decision = SimpleNamespace(evidence=SimpleNamespace(subject=stage.newest("subject")))
    with pytest.raises(RegistryError, match="changed behind the ledger"):
        list(apply_decision(decision, other, stage.stores.registry))


def killed():
    raise Killed
