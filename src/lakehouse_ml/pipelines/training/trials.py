"""Trials as rows of ``ml.trials``."""

import json

from pyspark.sql import DataFrame

from lakehouse_ml.lakehouse.run import Run
from lakehouse_ml.lakehouse.tables import TRIALS
from lakehouse_ml.pipelines.training.study import Study, to_record


def trials(features: DataFrame, run: Run, *studies: Study) -> DataFrame:
    """One row per finished trial, as ``ml_trials`` holds them.

    Args:
        features: ``gold_features``, for its session alone.
        run: The run that searched.
        studies: The searches.
    """
    rows = [row for study in studies for row in _rows(study, run)]
    schema = ", ".join(f"{column.name} {column.type}" for column in TRIALS.columns)
    return features.sparkSession.createDataFrame(rows, schema)


def _rows(study: Study, run: Run) -> list[tuple[object, ...]]:
    records = [to_record(trial) for trial in study.trials]
    return [
        (
            study.name,
            record["number"],
            study.role,
            record["state"],
            record["value"] if record["state"] == "COMPLETE" else None,
            json.dumps(record["params"], sort_keys=True),
            json.dumps(record["intermediate"], sort_keys=True),
            run.run_id,
        )
        for record in records
    ]
