"""Values and paired differences with their intervals, as ``ml.evaluations`` holds them."""

import math
from datetime import date, datetime
from typing import Any

import numpy as np
import pandas as pd
from pyspark.sql import DataFrame

from lakehouse_ml.lakehouse.tables import EVALUATIONS
from lakehouse_ml.metrics import Floats, estimate
from lakehouse_ml.pipelines.evaluation.measure import Resampled
from lakehouse_ml.pipelines.evaluation.models import Measured

# Of each pair the second is subtracted; a role that is not there is not compared.
PAIRS = (("challenger", "baseline"), ("challenger", "champion"), ("baseline", "champion"))


def compare(
    metric_draws: list[Resampled], models: dict[str, Measured], candidates: dict[str, Any]
) -> pd.DataFrame:
    """Every model's own values, and the differences of each pair of models.

    Args:
        metric_draws: See ``measure``.
        models: See ``compared_models``.
        candidates: ``ml_candidates``: run and holdout.

    Returns:
        Metric x model x group, and metric x pair x group: the columns of ``ml.evaluations``, NaN where undefined.
    """
    by_role = {role: [draw for draw in metric_draws if draw.role == role] for role in models}
    rows = [_row(draw, draw.values, models, "") for draw in metric_draws]
    for role, other in PAIRS:
        if role in models and other in models:
            # Both were measured on the same groups and metrics, in the same order.
            for draw, subtracted in zip(by_role[role], by_role[other], strict=True):
                rows.append(_row(draw, draw.values - subtracted.values, models, other))
    table = pd.DataFrame(rows).assign(
        run_id=candidates["run_id"],
        as_of=datetime.fromisoformat(candidates["as_of"]),
        holdout_start=date.fromisoformat(candidates["holdout_start"]),
        holdout_end=date.fromisoformat(candidates["holdout_end"]),
    )
    return table[list(EVALUATIONS.names)]


def _row(draw: Resampled, values: Floats, models: dict[str, Measured], other: str) -> dict[str, Any]:
    counts = {name: value for name, value in draw._asdict().items() if name != "values"}
    return {
        **counts,
        **estimate(values)._asdict(),
        "compared_to": other,
        "model_digest": models[draw.role].digest,
        "compared_digest": models[other].digest if other else "",
        "trained_until": models[draw.role].trained_until,
    }


def store_evaluations(evaluations: pd.DataFrame, entities: DataFrame) -> DataFrame:
    """The rows of ``ml_evaluations``: what is not defined is null.

    Args:
        evaluations: See ``compare``.
        entities: Any frame, for its session alone.
    """
    rows = [tuple(_plain(value) for value in row.values()) for row in evaluations.to_dict("records")]
    schema = ", ".join(f"{column.name} {column.type}" for column in EVALUATIONS.columns)
    return entities.sparkSession.createDataFrame(rows, schema)


def _plain(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return None
    # Spark takes no subclass of datetime.
    return value.to_pydatetime() if isinstance(value, pd.Timestamp) else value


def tabulate(evaluations: pd.DataFrame) -> pd.DataFrame:
    """The whole holdout at a glance: a row per metric, a column per model and per difference, for people to read."""
    whole = evaluations[evaluations["slice"] == "all"]
    named = whole.assign(
        model=np.where(
            whole["compared_to"] == "", whole["role"], whole["role"] + " - " + whole["compared_to"]
        ),
        shown=[
            f"{v:.4f} [{lo:.4f}, {hi:.4f}]"
            for v, lo, hi in zip(whole["value"], whole["low"], whole["high"], strict=True)
        ],
    )
    return named.pivot(index="metric", columns="model", values="shown").reset_index()
