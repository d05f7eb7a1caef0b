"""Evidence for promotion decisions: good by default, so that a test states only what is wrong with it."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

from lakehouse_ml.pipelines.promotion.evidence import (
    Candidate,
    DataRecord,
    Declared,
    Evidence,
    Incumbent,
    Landed,
    Measurement,
    Standing,
    Trained,
)
from lakehouse_ml.pipelines.promotion.rule_set import PromotionRules
from lakehouse_ml.probe import Probe

AS_OF = datetime(2013, 10, 1, tzinfo=UTC)
HOLDOUT_START, HOLDOUT_END = date(2013, 9, 3), date(2013, 10, 1)
KEYS = "e" * 64
DIGESTS = {"baseline": "b" * 64, "challenger": "c" * 64, "champion": "a" * 64}
METRICS = {
    "average_precision": 0.55,
    "roc_auc": 0.77,
    "brier_skill": 0.15,
    "ap_over_base_rate": 2.4,
    "brier_loss": 0.15,
    "cost_skill": 0.3,
    "calibration_error": 0.02,
    "cost": 0.45,
}
RULES = {
    "evidence": {
        "rows_min": 1000,
        "positives_min": 200,
        "days_min": 14,
        "new_days_min": 14,
        "max_age_days": 7,
    },
    "margin": {"metric": "average_precision", "above": 0.0, "low_above": -0.005},
    "floors": {
        "roc_auc": {"at_least": 0.65},
        "brier_skill": {"above": 0.0},
        "ap_over_base_rate": {"at_least": 1.5},
        "cost_skill": {"above": 0.0},
    },
    "ceilings": {"roc_auc": {"at_most": 0.9}, "calibration_error": {"at_most": 0.1}},
    "not_worse": {"cost": 0.02},
    "slices": {"metric": "average_precision", "rows_min": 500, "days_min": 7, "margin": 0.03},
    "data": {
        "rejected_max": 0.05,
        "max_hours": {"timetable": 48.0, "movements": 30.0, "weather": 30.0},
        "alert_days": 7,
        "answered_by_training": ["unseen_category", "source_missing", "values_went_missing"],
    },
    "artefact": {
        "size_mb_max": 500.0,
        "memory_mb_max": 4096.0,
        "request_mb_max": 16.0,
        "latency_ms_max": 500.0,
        "tolerance": 1e-9,
    },
    "approval": {"required": False, "shadow_rows_min": 0},
}
FEATURES = (("hour", "double"), ("wind_kn", "double"))
DATA = DataRecord(
    files=300,
    learned_from=date(2013, 1, 1),
    landed=(Landed("movements", 500_000, 10), Landed("timetable", 190_000, 0), Landed("weather", 10_000, 0)),
    unbalanced=(),
    rejected_files=(),
    open_alerts=(),
    newest=tuple((source, AS_OF) for source in ("movements", "timetable", "weather")),
)
DAYS = tuple(HOLDOUT_START + timedelta(days=day) for day in range(28))
DECLARED = Declared(24_000, 5_000, DAYS, KEYS)
PROBE = Probe(inputs=FEATURES, size_mb=2.0, memory_mb=400.0, request_mb=0.1, latency_ms=50.0)


def rules(**groups: Any) -> PromotionRules:
    return PromotionRules.model_validate({**RULES, **groups})


def candidates(**changes: Any) -> dict[str, Any]:
    """What training hands over, as it stands in JSON."""
    model = {"threshold": 0.3, "params": {"C": 0.1}, "rounds": None, "train_rows": 200_000, "base_rate": 0.24}
    models = {
        role: {**model, "uri": f"models:/m-{role}", "digest": DIGESTS[role], "warnings": []}
        for role in ("baseline", "challenger")
    }
    return {
        "run_id": "run-1",
        "as_of": AS_OF.isoformat(),
        "mlflow_run_id": "mlflow-run-1",
        "train_start": "2013-01-01",
        "train_end": HOLDOUT_START.isoformat(),
        "holdout_start": HOLDOUT_START.isoformat(),
        "holdout_end": HOLDOUT_END.isoformat(),
        "label_cutoff": AS_OF.isoformat(),
        "seed": 1,
        "label_wait_hours": 30,
        "source_versions": {"silver.movements": 4, "silver.timetable": 4},
        "input_versions": {"gold.features": 3, "gold.labels": 2},
        "git_commit": "0" * 40,
        "pins_hash": "1" * 64,
        "feature_fingerprint": "f" * 64,
        "models": models,
        **changes,
    }


def probes(trained: Trained) -> dict[str, Probe]:
    """What comes of trying out models that nothing is wrong with as files."""
    return {role: replace(PROBE, facts=tuple(trained.facts(role).items())) for role in trained.models}


def measurement(
    role: str, metric: str, value: float | None, compared_to: str = "", **changes: Any
) -> Measurement:
    known = Measurement(
        role=role,
        compared_to=compared_to,
        slice="all",
        slice_value="all",
        metric=metric,
        value=value,
        low=None if value is None else value - 0.004,
        high=None if value is None else value + 0.004,
        rows=24_000,
        positives=5_000,
        days=28,
        model_digest=DIGESTS[role],
        compared_digest=DIGESTS.get(compared_to, ""),
        holdout_start=HOLDOUT_START,
        holdout_end=HOLDOUT_END,
        keys_digest=KEYS,
    )
    return replace(known, **changes)


def measurements(gain: float = 0.02, champion_gain: float | None = None) -> tuple[Measurement, ...]:
    """Every number of an evaluation in which the challenger gains that much over baseline and champion."""
    roles = ("baseline", "challenger") if champion_gain is None else tuple(DIGESTS)
    own = [measurement(role, metric, value) for role in roles for metric, value in METRICS.items()]
    own += differences("challenger", "baseline", gain)
    if champion_gain is not None:
        own += differences("challenger", "champion", champion_gain)
        own += differences("baseline", "champion", champion_gain - gain)
    own.append(measurement("challenger", "roc_auc", 0.8, slice="origin", slice_value="EWR", rows=8_000))
    return tuple(own)


def differences(role: str, other: str, gain: float) -> list[Measurement]:
    """What a pair of models gives: on the whole holdout, and on two airports."""
    airports = [{"slice": "origin", "slice_value": name, "rows": 8_000} for name in ("EWR", "JFK")]
    return [
        measurement(role, "average_precision", gain, other),
        measurement(role, "cost", -gain, other),
        *(measurement(role, "average_precision", gain, other, **airport) for airport in airports),
    ]


def first_evidence(**changes: Any) -> Evidence:
    """Before there is any champion."""
    trained = Trained.model_validate(candidates())
    evidence = Evidence(
        as_of=AS_OF,
        trained=trained,
        faults={},
        incumbent=None,
        measurements=measurements(),
        standing=Standing(),
        declared=DECLARED,
        probes=probes(trained),
        data=DATA,
        features=FEATURES,
    )
    return replace(evidence, **changes)


def later_evidence(champion_gain: float = 0.02, **changes: Any) -> Evidence:
    """With a champion of four weeks ago."""
    before = HOLDOUT_START - timedelta(days=28)
    known = {
        "incumbent": Incumbent("1", DIGESTS["champion"], before),
        "measurements": measurements(champion_gain=champion_gain),
        "standing": Standing(2, "1", DIGESTS["champion"], HOLDOUT_START),
    }
    return first_evidence(**{**known, **changes})


def with_candidate(evidence: Evidence, role: str, **changes: Any) -> Evidence:
    models = dict(evidence.trained.models)
    models[role] = Candidate.model_validate({**models[role].model_dump(), **changes})
    return replace(evidence, trained=evidence.trained.model_copy(update={"models": models}))
