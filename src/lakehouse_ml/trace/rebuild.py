"""A version made again from silver, and compared with what is registered."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from lakehouse_ml.lakehouse.affected_days import days_between
from lakehouse_ml.lakehouse.labelled import labelled_rows
from lakehouse_ml.lakehouse.run import Run
from lakehouse_ml.pipelines.feature_engineering.gold import build_family, build_spine, join_families
from lakehouse_ml.pipelines.training.provenance import (
    code_of,
    feature_fingerprint,
    hash_of,
    installed_packages,
)
from lakehouse_ml.pipelines.training.split import features_of
from lakehouse_ml.pipelines.training.tune import fit
from lakehouse_ml.probability_model import ProbabilityModel
from lakehouse_ml.use_case import UseCase

SAME = 1e-9


@dataclass(frozen=True)
class Rebuilt:
    """What came of it.

    Attributes:
        rows: Training rows made again.
        recorded_rows: Training rows that were recorded.
        difference: Largest difference of two predictions on those rows.
        causes: What is not as it was; empty where nothing is known to differ.
    """

    rows: int
    recorded_rows: int
    difference: float
    causes: tuple[str, ...]

    @property
    def is_equal(self) -> bool:
        """Whether the version is the same model."""
        return self.rows == self.recorded_rows and self.difference <= SAME


def training_rows(
    trained: Mapping[str, Any], use_case: UseCase, silver: Mapping[str, DataFrame]
) -> pd.DataFrame:
    """The rows of the final fit, from silver alone.

    Args:
        trained: What training handed over.
        use_case: Spine, families and labels.
        silver: Silver tables by name, at the recorded versions.

    Returns:
        One row per key, by ``predict_at`` and key: what ``split`` gives, without the fold.
    """
    now = Run(trained["run_id"], datetime.fromisoformat(trained["as_of"]), {})
    cutoff = datetime.fromisoformat(trained["label_cutoff"])
    first, end = (date.fromisoformat(trained[name]) for name in ("train_start", "train_end"))
    features = features_again(sorted(days_between(first, end - timedelta(days=1))), now, use_case, silver)
    asked = features.where(
        F.col("predict_at") <= F.lit(cutoff - timedelta(hours=trained["label_wait_hours"]))
    )
    labels = use_case.labels.build(silver[use_case.labels.source])
    rows = labelled_rows(asked, labels, use_case.labels.column, cutoff)
    found = rows.withColumnRenamed(use_case.labels.column, "label").toPandas()
    return found.sort_values(["predict_at", "key"], ignore_index=True)


def features_again(
    days: list[date], run: Run, use_case: UseCase, silver: Mapping[str, DataFrame]
) -> DataFrame:
    """The rows of ``gold.features`` of some days as a run would build them, from silver alone.

    Args:
        days: Days of predict_date, UTC.
        run: Its now.
        use_case: Spine and families.
        silver: Silver tables by name, as the run saw them.
    """
    spine = next(build_spine(use_case.spine, days, run, *_of(use_case.spine.inputs, silver)))
    # Columns of its own: families join it with the very tables that it is made of.
    entities = spine.toDF(*spine.columns)
    families = [
        build_family(family, days, run, entities, *_of((*family.inputs, *family.references), silver))
        for family in use_case.families
    ]
    return next(join_families(days, entities, *families))


def _of(names: tuple[str, ...], silver: Mapping[str, DataFrame]) -> list[DataFrame]:
    return [silver[name] for name in names]


def fit_again(
    trained: Mapping[str, Any], role: str, rows: pd.DataFrame, use_case: UseCase
) -> ProbabilityModel:
    """The role's model, of the recorded parameters, rounds and seed."""
    model = trained["models"][role]
    estimator = next(one for one in use_case.estimators if one.role == role)
    return fit(rows, model["params"], estimator, model["rounds"] or 0, trained["seed"])


def compared(
    trained: Mapping[str, Any], role: str, registered: Any, rows: pd.DataFrame, use_case: UseCase
) -> Rebuilt:
    """The model made again against the registered one, on all rows that it was made of.

    Args:
        trained: What training handed over.
        role: Role of the version.
        registered: ``predict(frame) -> probability``.
        rows: See :func:`training_rows`.
        use_case: Estimators and features.
    """
    again = fit_again(trained, role, rows, use_case)
    features = features_of(rows)
    difference = np.abs(again.predict(features) - registered.predict(features)).max()
    recorded = trained["models"][role]["train_rows"]
    return Rebuilt(
        len(rows), recorded, float(difference), tuple(_causes(trained, len(rows), recorded, use_case))
    )


def _causes(trained: Mapping[str, Any], rows: int, recorded: int, use_case: UseCase) -> list[str]:
    code = code_of(Path(__file__).parent)
    now = {
        "training rows": (recorded, rows),
        "code": (trained["git_commit"], code.name),
        "installed packages": (trained["pins_hash"], hash_of(installed_packages())),
        "features": (trained["feature_fingerprint"], feature_fingerprint(use_case)),
    }
    return [f"{what}: {then} then, {today} now" for what, (then, today) in now.items() if then != today]
