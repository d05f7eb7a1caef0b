"""What a training is made of, known before any model is fitted."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pandas as pd

from lakehouse_ml.lakehouse.run import Run
from lakehouse_ml.pipelines.training.params import TrainingParams
from lakehouse_ml.pipelines.training.periods import periods_of
from lakehouse_ml.pipelines.training.provenance import (
    code_of,
    feature_fingerprint,
    hash_of,
    installed_packages,
)
from lakehouse_ml.use_case import UseCase

Facts = dict[str, Any]


def training_facts(
    training_rows: pd.DataFrame,
    run: Run,
    table_versions: dict[str, int],
    params: TrainingParams,
    seed: int,
    *,
    use_case: UseCase,
) -> Facts:
    """Data, code and parameters of a training, JSON-ready: all of ``ml_candidates`` but for the models.

    Args:
        training_rows: History and validation folds; by then gold is written, and has its version.
        run: The run's now.
        table_versions: Delta version by table; those of gold are what training and evaluation read.
        params: ``params:training``.
        seed: ``params:random_seed``.
        use_case: Names the features.
    """
    periods, code = periods_of(run.as_of, params), code_of(Path(__file__).parent)
    days = training_rows["predict_date"]
    return {
        "run_id": run.run_id,
        "as_of": run.as_of.isoformat(),
        "train_start": days.min().date().isoformat(),
        "train_end": (days.max() + timedelta(days=1)).date().isoformat(),
        "holdout_start": periods.holdout_start.isoformat(),
        "holdout_end": periods.holdout_end.isoformat(),
        "label_cutoff": periods.label_cutoff.isoformat(),
        "label_wait_hours": params.label_wait_hours,
        "seed": seed,
        "input_versions": {table: v for table, v in table_versions.items() if table.startswith("gold.")},
        "source_versions": dict(run.versions),
        "git_commit": code.name,
        "git_dirty": code.is_dirty,
        "pins_hash": hash_of(installed_packages()),
        "feature_fingerprint": feature_fingerprint(use_case),
        "params": params.model_dump(),
    }
