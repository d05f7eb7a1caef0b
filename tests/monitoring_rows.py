"""Rows of every table that monitoring reads: six weeks of 60 entities a day, of which two come after training."""

import json
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any

import numpy as np
import pandas as pd
from pyspark.sql import DataFrame, SparkSession

from lakehouse_ml.lakehouse.contract import Contract
from lakehouse_ml.lakehouse.run import Run
from lakehouse_ml.pipelines.monitoring.champion import Watched
from lakehouse_ml.pipelines.monitoring.frames import to_frame

Table = Callable[..., DataFrame]
TRAINED_UNTIL = date(2013, 2, 4)
CHAMPION = Watched("3", "digest", date(2013, 1, 7), TRAINED_UNTIL)
DAYS = [date(2013, 1, 7) + timedelta(days=n) for n in range(45)]
AS_OF = datetime(2013, 2, 21, tzinfo=UTC)
RUN = Run("run-1", AS_OF, {})
PER_DAY = 60


def moment(day: date, hour: int = 0) -> datetime:
    return datetime(day.year, day.month, day.day, hour, tzinfo=UTC)


def table_maker(spark: SparkSession) -> Table:
    """Frames by contract, from the columns that matter; the others are null."""
    like = spark.range(0)

    def make(contract: Contract, *rows: dict[str, Any]) -> DataFrame:
        return to_frame(like, [{**dict.fromkeys(contract.names), **row} for row in rows], contract)

    return make


def features_frame() -> pd.DataFrame:
    """60 entities a day: a number that jumps after training, one with gaps, a constant, a category."""
    generator = np.random.default_rng(5)
    day = np.repeat(DAYS, PER_DAY)
    number = np.arange(len(day))
    jump = np.where(day >= TRAINED_UNTIL, 3.0, 0.0)
    return pd.DataFrame(
        {
            "key": [f"k{n}" for n in number], "predict_date": day,
            "jumps": generator.normal(size=len(day)) + jump,
            "gaps": np.where(number % 4 == 0, np.nan, number % 5).astype(float),
            "constant": 1.0,
            "city": np.array(["a", "a", "b", "c", None], dtype=object)[number % 5],
        }
    )  # fmt: skip


def features_of(spark: SparkSession) -> DataFrame:
    schema = "key string, predict_date date, jumps double, gaps double, constant double, city string"
    return spark.createDataFrame(features_frame(), schema)


def predictions_of(features: pd.DataFrame, **changes: Any) -> list[dict[str, Any]]:
    generator = np.random.default_rng(9)
    served = features[features["predict_date"] >= TRAINED_UNTIL]
    return [
        {
            "key": row.key, "predict_at": moment(row.predict_date, 9), "predict_date": row.predict_date,
            "role": "champion", "model_version": "3", "model_digest": "digest", "score": float(score),
            "threshold": 0.4, "decision": bool(score >= 0.4), "features_version": 1, "run_id": "run-1",
            "as_of": AS_OF, **changes,
        }
        for row, score in zip(served.itertuples(), generator.random(len(served)), strict=True)
    ]  # fmt: skip


LABELS = "key string, is_late boolean, outcome string, label_known_at timestamp, _revision string"


def labels_of(spark: SparkSession) -> DataFrame:
    """Every entity's truth is known at noon, but for the last two days; one was corrected, one never arrives."""
    frame = features_frame()
    rows = [
        (row.key, n % 3 == 0, "arrived", moment(row.predict_date, 12), "r1")
        for n, row in enumerate(frame.itertuples())
        if row.predict_date < date(2013, 2, 16)
    ]
    first = frame.index[frame["predict_date"] == date(2013, 2, 11)][0]
    key, never = frame["key"][first], frame["key"][first + 1]
    rows = [row for row in rows if row[0] != never]
    rows += [
        (key, True, "arrived", moment(date(2013, 2, 12)), "r2"),
        (key, False, "arrived", moment(date(2013, 2, 12)), "r3"),
        (key, True, "arrived", moment(date(2013, 3, 1)), "r4"),
        (never, None, "cancelled", moment(date(2013, 2, 11)), "r1"),
    ]
    return spark.createDataFrame(rows, LABELS)


def evaluation(run_id: str, as_of: datetime, **changes: Any) -> dict[str, Any]:
    return {
        "run_id": run_id, "as_of": as_of, "role": "challenger", "model_digest": "digest", "compared_to": "",
        "slice": "all", "slice_value": "all", "metric": "brier_loss", "value": 0.3, "low": 0.2, "high": 0.4,
        "rows": 100, "positives": 30, "days": 28, "holdout_start": date(2013, 1, 7), "holdout_end": TRAINED_UNTIL,
        **changes,
    }  # fmt: skip


def logged(file: str, day: date, sequence: int = 1, **changes: Any) -> dict[str, Any]:
    return {
        "file": file, "source": file.split("/", maxsplit=1)[0], "period_start": moment(day),
        "period_end": moment(day + timedelta(days=1)), "size_bytes": 9, "lines": 100, "accepted": 100,
        "duplicates": 0, "quarantined": 0, "status": "ok", "warnings": {}, "broken_rules": {},
        "sequence": sequence, "logged_at": AS_OF, **changes,
    }  # fmt: skip


def ledger(sequence: int, **changes: Any) -> dict[str, Any]:
    moved = {"champion_before": None, "champion_after": "3", "decision": "promoted", "elected": "challenger"}
    texts = ("subject", "evidence", "evidence_hash", "git_commit", "previous_hash", "row_hash", "actor")
    return {
        **dict.fromkeys(texts, "x"), "sequence": sequence, "event": "moved", "cause": None, "run_id": "run-1",
        "as_of": AS_OF, "reasons": ["one"],
        "model_version": "3", "input_versions": {}, "recorded_at": AS_OF, "holdout_start": date(2013, 1, 1),
        "holdout_end": date(2013, 1, 2), **moved, **changes,
    }  # fmt: skip


def event(run: str, sequence: int, stage: str, hour: int, **changes: Any) -> dict[str, Any]:
    origin = {
        "run_id": run,
        "pipeline_name": stage,
        "flow_name": "f",
        "dataset_name": None,
        "environment": "dev",
    }
    return {
        "id": f"{run}-{sequence}", "sequence": sequence, "origin": origin, "timestamp": moment(DAYS[0], hour),
        "message": "done", "level": "INFO", "event_type": "flow_progress",
        "details": json.dumps({"duration_s": 2.0, "commits": 1}), **changes,
    }  # fmt: skip
