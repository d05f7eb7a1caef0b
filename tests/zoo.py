"""Models that must never be promoted, and two that must: made, evaluated, tried out and judged for real.

A small world of departures stands in for the flights; everything after it is the pipeline's own code.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from functools import cached_property, partial
from importlib.metadata import version
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import mlflow
import numpy as np
import pandas as pd
import skops.io
from mlflow.models import ModelSignature
from mlflow.types import ColSpec, DataType, Schema
from sklearn.compose import make_column_transformer
from sklearn.dummy import DummyClassifier
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder

from lakehouse_ml.champion import record
from lakehouse_ml.lakehouse.contract import Column
from lakehouse_ml.lakehouse.key_digest import digest_of_keys
from lakehouse_ml.lakehouse.run import Run
from lakehouse_ml.model_files import model_digest
from lakehouse_ml.pipelines.evaluation.compare import compare
from lakehouse_ml.pipelines.evaluation.measure import measure
from lakehouse_ml.pipelines.evaluation.models import Measured, compared_models
from lakehouse_ml.pipelines.evaluation.params import MeasureParams
from lakehouse_ml.pipelines.evaluation.rows import golden_rows
from lakehouse_ml.pipelines.evaluation.score import score
from lakehouse_ml.pipelines.promotion.apply import apply_decision, read_ledger, register
from lakehouse_ml.pipelines.promotion.decide import Decision, decide
from lakehouse_ml.pipelines.promotion.evidence import (
    Declared,
    Evidence,
    Incumbent,
    Measurement,
    Standing,
    Trained,
)
from lakehouse_ml.pipelines.promotion.gather import MEASURED, features_of, try_candidates
from lakehouse_ml.probability_model import ProbabilityModel
from lakehouse_ml.probe import Probe
from lakehouse_ml.registry import LoggedModel, Registry
from lakehouse_ml.serving_endpoint import NoEndpoint
from lakehouse_ml.use_case import Costs
from ledger_builders import RowsInMemory, entry
from promotion_builders import AS_OF, DATA, DAYS, HOLDOUT_END, HOLDOUT_START, candidates, probes, rules

FEATURES = ("carrier", "origin", "hour", "wind_kn")
ROWS_A_DAY, TRAINING_DAYS = 120, 60
PINNED = tuple(f"{name}=={version(name)}" for name in ("mlflow", "numpy", "scikit-learn", "skops"))
USE_CASE = SimpleNamespace(
    slices={"origin": lambda rows: rows["origin"], "carrier": lambda rows: rows["carrier"]},
    costs=Costs(false_alarm=1.0, miss=4.0),
    families=(
        SimpleNamespace(
            contract=SimpleNamespace(
                columns=(
                    Column("carrier", "string", "Airline"),
                    Column("origin", "string", "Airport"),
                    Column("hour", "double", "Hour"),
                    Column("wind_kn", "double", "Wind"),
                )
            )
        ),
    ),
)


def departures(first: date, days: int, seed: int) -> pd.DataFrame:
    """Departures that are late by a known law: later in the day, in wind, and by airline."""
    draw, n = np.random.default_rng(seed), ROWS_A_DAY * days
    rows = pd.DataFrame(
        {
            "key": [f"{seed}-{number}" for number in range(n)],
            "predict_date": np.repeat(
                [np.datetime64(first + timedelta(days=day)) for day in range(days)], ROWS_A_DAY
            ),
            "carrier": draw.choice(["AA", "B6", "DL", "UA"], n),
            "origin": draw.choice(["EWR", "JFK", "LGA"], n, p=[0.45, 0.45, 0.1]),
            "hour": draw.integers(6, 24, n).astype(float),
            "wind_kn": draw.gamma(4, 3, n),
        }
    )
    pull = rows["carrier"].map({"AA": -0.3, "B6": 0.5, "DL": -0.5, "UA": 0.2})
    # Wind matters late in the day only, which a linear model cannot see.
    windy = np.where(rows["hour"] > 15, rows["wind_kn"] - 12, 0) * 0.3
    odds = -2.2 + pull + 0.1 * (rows["hour"] - 12) + windy
    late = draw.random(n) < 1 / (1 + np.exp(-odds))
    return rows.assign(label=late, dep_delay=np.where(late, 40.0, -3.0) + draw.normal(0, 5, n))


TRAINING_START = HOLDOUT_START - timedelta(days=TRAINING_DAYS)
TRAINING = departures(TRAINING_START, TRAINING_DAYS, seed=1)
BASE_RATE = float(TRAINING["label"].mean())
HOLDOUT = departures(HOLDOUT_START, (HOLDOUT_END - HOLDOUT_START).days, seed=2)


def logistic(**changes: Any) -> Any:
    """A linear model; every category must have been seen."""
    encoded = make_column_transformer(
        (OneHotEncoder(**changes), ["carrier", "origin"]), remainder="passthrough"
    )
    return make_pipeline(encoded, LogisticRegression(max_iter=500))


def trees(**changes: Any) -> Any:
    return HistGradientBoostingClassifier(
        **{"max_iter": 40, "categorical_features": "from_dtype", "random_state": 0, **changes}
    )


def fitted(
    classifier: Any,
    rows: pd.DataFrame = TRAINING,
    label: Any = None,
    features: tuple[str, ...] = FEATURES,
) -> ProbabilityModel:
    truth = rows["label"].to_numpy() if label is None else label
    return ProbabilityModel(classifier).fit(rows[list(features)], truth)


def signature_of(features: tuple[str, ...]) -> ModelSignature:
    inputs = [
        ColSpec(DataType.string if name in ("carrier", "origin") else DataType.double, name, required=False)
        for name in features
    ]
    return ModelSignature(Schema(inputs), Schema([ColSpec(DataType.double)]))


@dataclass
class Specimen:
    """A model as it was handed over.

    Attributes:
        model: ``predict(frame) -> probability``.
        threshold: Decides from this score on.
        features: Its signature.
        requirements: Its requirements.
        format: How it is stored.
        damage: What is done to its files before they are handed over.
        trained_until: Day after its last training day, as training declares.
        says: What its files say about its training that is not so; None: they do not say it.
    """

    model: Any
    threshold: float = 0.2
    features: tuple[str, ...] = FEATURES
    requirements: tuple[str, ...] = PINNED
    format: str = "skops"
    damage: Callable[[Path], None] = lambda folder: None
    trained_until: date = HOLDOUT_START
    says: dict[str, Any] = field(default_factory=dict)

    def facts(self, role: str) -> dict[str, Any]:
        """Its metadata, as training logs it."""
        known = {
            "role": role,
            "threshold": self.threshold,
            "trained_from": str(TRAINING_START),
            "trained_until": str(self.trained_until),
            "base_rate": BASE_RATE,
            "feature_fingerprint": "f" * 64,
        }
        return {fact: value for fact, value in {**known, **self.says}.items() if value is not None}

    def save(self, folder: Path) -> str:
        """Its files in a folder that is named by its role; their digest."""
        skopsed = (
            {"skops_trusted_types": skops.io.get_untrusted_types(data=skops.io.dumps(self.model))}
            if self.format == "skops"
            else {}
        )
        mlflow.sklearn.save_model(
            self.model,
            folder,
            signature=signature_of(self.features),
            pip_requirements=list(self.requirements),
            metadata=self.facts(folder.name),
            serialization_format=self.format,
            **skopsed,
        )
        self.damage(folder)
        return model_digest(folder)


@dataclass
class Case:
    """One promotion.

    Attributes:
        challenger: The model in question.
        baseline: What it is held against.
        champion: The model in use; None: none yet.
        holdout: Rows that are evaluated.
        groups: Parts of the rule set that differ from the environment's.
    """

    challenger: Specimen
    baseline: Specimen
    champion: Specimen | None = None
    holdout: pd.DataFrame = field(default_factory=lambda: HOLDOUT)
    groups: dict[str, Any] = field(default_factory=dict)

    def judged(self, folder: Path, is_tried: bool) -> Decision:
        """The decision, after evaluation and, where it matters, the trial in processes of their own."""
        return decide(Judge(self, folder, is_tried).evidence, rules(**self.groups))


@dataclass
class Judge:
    """The pipeline's own functions, from models to evidence."""

    case: Case
    folder: Path
    is_tried: bool

    @cached_property
    def specimens(self) -> dict[str, Specimen]:
        known = {"baseline": self.case.baseline, "challenger": self.case.challenger}
        return known if self.case.champion is None else {**known, "champion": self.case.champion}

    @cached_property
    def digests(self) -> dict[str, str]:
        return {role: one.save(self.folder / role) for role, one in self.specimens.items()}

    @cached_property
    def measured(self) -> dict[str, Measured]:
        found = compared_models(self.handed_over, None)
        if one := self.case.champion:
            digest = self.digests["champion"]
            found["champion"] = Measured(
                "champion", digest, one.model, one.threshold, BASE_RATE, one.trained_until
            )
        return found

    @cached_property
    def handed_over(self) -> dict[str, Any]:
        days = {"train_start": str(TRAINING_START), "train_end": str(self.case.challenger.trained_until)}
        known = candidates(**days)
        for role, model in known["models"].items():
            facts = {"threshold": self.specimens[role].threshold, "base_rate": BASE_RATE}
            model |= {"uri": str(self.folder / role), "digest": self.digests[role], **facts}
        return known

    @cached_property
    def evidence(self) -> Evidence:
        rows = self.case.holdout
        scores = score(rows, self.measured)
        draws = measure(
            rows, scores, self.measured, MeasureParams(draws=200, slice_rows_min=300), 1, use_case=USE_CASE
        )
        table = compare(draws, self.measured, self.handed_over)
        found = self.sound | (self.tried(scores) if self.is_tried else {})
        champion = self.case.champion
        return Evidence(
            as_of=AS_OF,
            trained=Trained.model_validate(self.handed_over),
            faults={},
            incumbent=champion and Incumbent("1", self.digests["champion"], champion.trained_until),
            measurements=tuple(Measurement(**row) for row in table[list(MEASURED)].to_dict("records")),
            standing=Standing(2, "1", self.digests["champion"], HOLDOUT_START) if champion else Standing(),
            declared=Declared(
                len(HOLDOUT),
                int(HOLDOUT["label"].sum()),
                DAYS,
                digest_of_keys(HOLDOUT["key"]),
            ),
            probes=found,
            data=DATA,
            features=features_of(USE_CASE),
        )

    @property
    def sound(self) -> dict[str, Probe]:
        """What comes of trying models that nothing is wrong with as files."""
        inputs = features_of(USE_CASE)
        known = probes(Trained.model_validate(self.handed_over))
        return {role: replace(probe, inputs=inputs) for role, probe in known.items()}

    def tried(self, scores: pd.DataFrame) -> dict[str, Probe]:
        """What came of trying the challenger, and its own baseline if it is that; another is taken for sound."""
        golden = golden_rows(self.case.holdout, scores, self.measured, features=self.golden_features)
        asked = {**self.handed_over, "models": {"challenger": self.handed_over["models"]["challenger"]}}
        tried = try_candidates(
            asked,
            {digest: partial(frame.copy) for digest, frame in golden.items()},
            SimpleNamespace(tracking_uri=None),
            rules(**self.case.groups),
            use_case=USE_CASE,
        )
        if self.case.baseline is not self.case.challenger:
            return tried.probes
        facts = self.sound["baseline"].facts
        return {**tried.probes, "baseline": replace(tried.probes["challenger"], facts=facts)}

    @property
    def golden_features(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(name for one in self.specimens.values() for name in one.features))


@dataclass
class Home:
    """Where a decision is carried out: a registry and a ledger that agree on the champion."""

    registry: Registry
    ledger: RowsInMemory = field(default_factory=RowsInMemory)

    def crown(self, folder: Path) -> None:
        """Make the model in a folder champion."""
        logged = LoggedModel(str(folder), model_digest(folder), "run_of_champion")
        named = self.registry.register(logged, {}, "card")
        asked = entry(model_version=named.version, model_digest=named.digest, champion_after=named.version)
        record(asked, None, self.ledger, self.registry)

    def carry_out(self, decision: Decision) -> list[tuple[Any, ...]]:
        """The rows that a decision adds: event, decision, version, champion before and after."""
        before = read_ledger(self.ledger, self.registry)
        _, row = register(decision, "card", before, self.registry, Run("run-2", AS_OF, {}))
        list(apply_decision(row, before, self.ledger, self.registry, NoEndpoint()))
        added = self.ledger.rows[before.sequence :]
        return [(e.event, e.decision, e.model_version, e.champion_before, e.champion_after) for e in added]


def dummy(**options: Any) -> Specimen:
    return Specimen(fitted(DummyClassifier(**options)))


def changed(evidence: Evidence, which: Callable[[Measurement], bool], **values: Any) -> Evidence:
    return replace(
        evidence, measurements=tuple(replace(m, **values) if which(m) else m for m in evidence.measurements)
    )
