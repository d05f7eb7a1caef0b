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

from lakehouse_ml.lakehouse.contract import Column
from lakehouse_ml.model_files import model_digest
from lakehouse_ml.pipelines.evaluation.compare import compare
from lakehouse_ml.pipelines.evaluation.measure import measure
from lakehouse_ml.pipelines.evaluation.models import Measured
from lakehouse_ml.pipelines.evaluation.params import MeasureParams
from lakehouse_ml.pipelines.evaluation.rows import golden_rows
from lakehouse_ml.pipelines.evaluation.score import score
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
from lakehouse_ml.use_case import Costs
from promotion_builders import AS_OF, DATA, HOLDOUT_END, HOLDOUT_START, PROBE, candidates, rules

FEATURES = ("carrier", "origin", "hour", "wind_kn")
ROWS_A_DAY, TRAINING_DAYS = 120, 60
PINNED = tuple(f"{name}=={version(name)}" for name in ("mlflow", "scikit-learn", "skops"))
CANDIDATES = ("baseline", "challenger")
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


# A model that nothing is wrong with as a file.
SOUND = replace(PROBE, inputs=features_of(USE_CASE))


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


TRAINING = departures(HOLDOUT_START - timedelta(days=TRAINING_DAYS), TRAINING_DAYS, seed=1)
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
        damage: What is done to its files after its evaluation, the digest following.
        trained_until: What it says of its training.
    """

    model: Any
    threshold: float = 0.2
    features: tuple[str, ...] = FEATURES
    requirements: tuple[str, ...] = PINNED
    format: str = "skops"
    damage: Callable[[Path], None] = lambda folder: None
    trained_until: date = HOLDOUT_START

    def save(self, folder: Path) -> str:
        """Its files in a folder; their digest."""
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
        rate = float(TRAINING["label"].mean())
        return {
            role: Measured(role, self.digests[role], one.model, one.threshold, rate, one.trained_until)
            for role, one in self.specimens.items()
        }

    @cached_property
    def handed_over(self) -> dict[str, Any]:
        known = candidates(train_end=str(self.case.challenger.trained_until))
        for role, model in known["models"].items():
            model |= {"uri": str(self.folder / role), "digest": self.digests[role]}
        return known

    @cached_property
    def evidence(self) -> Evidence:
        rows = self.case.holdout
        scores = score(rows, self.measured)
        draws = measure(
            rows, scores, self.measured, MeasureParams(draws=200, slice_rows_min=300), 1, use_case=USE_CASE
        )
        table = compare(draws, self.measured, self.handed_over)
        probes = self.probes(scores) if self.is_tried else dict.fromkeys(CANDIDATES, SOUND)
        champion = self.case.champion
        return Evidence(
            as_of=AS_OF,
            trained=Trained.model_validate(self.handed_over),
            faults={},
            incumbent=champion and Incumbent("1", self.digests["champion"], champion.trained_until),
            measurements=tuple(Measurement(**row) for row in table[list(MEASURED)].to_dict("records")),
            standing=Standing(2, "1", self.digests["champion"], HOLDOUT_START) if champion else Standing(),
            declared=Declared(len(HOLDOUT), int(HOLDOUT["label"].sum()), HOLDOUT["predict_date"].nunique()),
            probes=probes,
            data=DATA,
            features=features_of(USE_CASE),
        )

    def probes(self, scores: pd.DataFrame) -> dict[str, Probe]:
        """What came of trying the challenger; a baseline that is another model is taken for sound."""
        golden = golden_rows(self.case.holdout, scores, self.measured, features=self.golden_features)
        asked = {**self.handed_over, "models": {"challenger": self.handed_over["models"]["challenger"]}}
        tried = try_candidates(
            asked,
            {digest: partial(frame.copy) for digest, frame in golden.items()},
            SimpleNamespace(tracking_uri=None),
            rules(**self.case.groups),
            use_case=USE_CASE,
        )
        is_alone = self.case.baseline is self.case.challenger
        return {**tried.probes, "baseline": tried.probes["challenger"] if is_alone else SOUND}

    @property
    def golden_features(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(name for one in self.specimens.values() for name in one.features))


def dummy(**options: Any) -> Specimen:
    return Specimen(fitted(DummyClassifier(**options)))


def changed(evidence: Evidence, which: Callable[[Measurement], bool], **values: Any) -> Evidence:
    return replace(
        evidence, measurements=tuple(replace(m, **values) if which(m) else m for m in evidence.measurements)
    )
