"""How a version that awaits its approval did in shadow, beside the champion."""

from datetime import datetime

import numpy as np
import pandas as pd
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from lakehouse_ml.lakehouse.labelled import labelled_rows
from lakehouse_ml.metrics import Floats, Integers, Scored, draw_days, estimate, number_days, resample
from lakehouse_ml.pipelines.promotion.evidence import CHALLENGER, CHAMPION
from lakehouse_ml.pipelines.promotion.rule_set import PromotionRules
from lakehouse_ml.pipelines.promotion.verdict import Verdict
from lakehouse_ml.use_case import Costs

RULE = "shadow_keeps_up"


def shadow_rows(
    predictions: DataFrame,
    labels: DataFrame,
    version: str,
    champion: str | None,
    *,
    label: str,
    known_until: datetime,
) -> pd.DataFrame:
    """Both models' scores wherever both scored and the truth is known.

    Args:
        predictions: ``ml_predictions``.
        labels: ``gold_labels``.
        version: The version in shadow.
        champion: The champion that it is compared with; None gives no row.
        label: Name of the label column.
        known_until: Truth that became known later (UTC) does not count.

    Returns:
        One row per key: key, predict_date (UTC), label, challenger and champion (scores in 0..1).
    """
    mine = _scores(predictions, CHALLENGER, version)
    theirs = _scores(predictions, CHAMPION, str(champion)).drop("predict_date")
    known = labelled_rows(mine.join(theirs, "key"), labels, label, known_until)
    rows = known.withColumnRenamed(label, "label").toPandas()
    return rows[["key", "predict_date", "label", CHALLENGER, CHAMPION]]


def _scores(predictions: DataFrame, role: str, version: str) -> DataFrame:
    own = predictions.where((F.col("role") == role) & (F.col("model_version") == version))
    return own.select("key", "predict_date", F.col("score").alias(role))


def judge_shadow(rows: pd.DataFrame, rules: PromotionRules, draws: int, seed: int) -> Verdict:
    """Whether the version, in shadow on enough rows, is not surely worse than the champion; on few days, not worse.

    Args:
        rows: See :func:`shadow_rows`.
        rules: The environment's rule set; the metric is the margin's.
        draws: Day-block draws of the interval.
        seed: Seed of the draws.
    """
    needed = rules.approval.shadow_rows_min
    if len(rows) < needed:
        return Verdict(RULE, False, "labelled rows that both scored", len(rows), f">= {needed}")
    days = number_days(rows["predict_date"].to_numpy())
    times = draw_days(int(days.max()) + 1, draws, seed)
    ours, theirs = (
        _resampled(rows, role, days, rules.margin.metric, times) for role in (CHALLENGER, CHAMPION)
    )
    found = estimate(ours - theirs)
    text = f"{rules.margin.metric}, challenger minus champion, {len(rows)} rows of {days.max() + 1} days"
    # What a few days draw is no interval: of fewer, the luckiest one alone would be its end.
    is_interval = days.max() + 1 >= rules.slices.days_min
    limit = "not surely below 0" if is_interval else f">= 0 on fewer than {rules.slices.days_min} days"
    if np.isnan(found.high):
        limit = "days with both outcomes, at least two, for an interval"
    # What is not defined compares false: not passed.
    is_kept = found.high >= 0 and (is_interval or found.value >= 0)
    return Verdict(RULE, bool(is_kept), text, found.value, limit, found.low, found.high)


def _resampled(rows: pd.DataFrame, role: str, days: Integers, metric: str, times: Floats) -> Floats:
    label = rows["label"].to_numpy(bool)
    # Threshold and costs count for metrics of decisions only; the margin's metric is one of scores.
    scored = Scored(label, rows[role].to_numpy(float), days, 0.5, label.mean(), Costs(1.0, 1.0))
    return resample(metric, scored, times)
