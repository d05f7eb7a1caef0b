"""Quality of the champion's predictions, in windows whose truth is in."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from lakehouse_ml.lakehouse.labelled import latest_labels
from lakehouse_ml.lakehouse.run import Run
from lakehouse_ml.lakehouse.tables import QUALITY_WINDOWS
from lakehouse_ml.lakehouse.tables.monitoring import METRICS
from lakehouse_ml.metrics import Scored, draw_days, estimate, number_days, resample
from lakehouse_ml.pipelines.monitoring.expectation import expected_metrics
from lakehouse_ml.pipelines.monitoring.frames import Row, number, records_of, rows_of, to_frame
from lakehouse_ml.pipelines.monitoring.rules import Interval, QualityParams
from lakehouse_ml.pipelines.monitoring.windows import (
    WindowParams,
    complete_windows,
    midnight,
    window_start,
)
from lakehouse_ml.use_case import Costs

Holdouts = Mapping[str, Mapping[str, Interval]]


def resolve_predictions(
    predictions: DataFrame,
    labels: DataFrame,
    before: DataFrame,
    run: Run,
    windows: WindowParams,
    *,
    label: str,
) -> pd.DataFrame:
    """The champions' predictions of windows that are not measured yet or were last, beside the truth as known.

    What is wrong with scores or outcomes is so whether or not their window was measured meanwhile, however late.

    Args:
        predictions: ``ml_predictions``; rows of the role ``champion`` count.
        labels: ``gold_labels``.
        before: ``ops.quality_windows`` before this run.
        run: Labels known at its now count.
        windows: The grid.
        label: Name of the label column.

    Returns:
        One row per prediction: model_version, model_digest, window_start, window_end (dates), predict_date,
        score, threshold, is_resolved, label (None: not known, or never to be), is_measured (the window is on record).
        The window that is not over is among them.
    """
    spans = complete_windows(run.as_of, windows)
    day = F.col("predict_date")
    recent = day.between(F.lit(spans[0].start), F.lit(run.as_of.date()))
    scored = predictions.where((F.col("role") == "champion") & recent)
    scored = scored.withColumn("window_start", window_start(day, windows.days))
    passed = before.where(F.col("window_start") <= F.lit(spans[-1].start))
    last = passed.agg(F.max("window_start").alias("last_measured"))
    on_record = passed.select("model_version", "window_start").crossJoin(last)
    flagged = scored.join(on_record, ["model_version", "window_start"], "left")
    still = F.col("last_measured").isNull() | (F.col("window_start") == F.col("last_measured"))
    # Nothing is known of an entity before its prediction is due: older labels need not be read.
    known = labels.where(F.col("label_known_at") >= F.lit(midnight(spans[0].start)))
    truth = latest_labels(known, run.as_of).select(
        "key", F.col(label).alias("label"), F.lit(True).alias("known")
    )
    return (
        flagged.where(still)
        .join(truth, "key", "left")
        .select(
            "model_version", "model_digest", "window_start", "predict_date", "score", "threshold", "label",
            F.date_add("window_start", windows.days).alias("window_end"),
            F.coalesce("known", F.lit(False)).alias("is_resolved"),
            F.col("last_measured").isNotNull().alias("is_measured"),
        )
        # The order of rows must not move the last digits of a metric.
        .orderBy("model_version", "predict_date", "key")
        .toPandas()
    )  # fmt: skip


@dataclass(frozen=True)
class Standards:
    """What windows are held against.

    Attributes:
        holdouts: Interval by model digest and metric.
        earlier: Shortfall of the AUC in complete windows on record by model version, oldest first.
    """

    holdouts: Holdouts
    earlier: Mapping[str, tuple[float, ...]]


def quality_standards(
    resolved: pd.DataFrame, evaluations: DataFrame, before: DataFrame, run: Run, windows: WindowParams
) -> Standards:
    """What the windows that are over are held against; nothing is read when there are none.

    Args:
        resolved: See :func:`resolve_predictions`.
        evaluations: ``ml_evaluations``: what the models reached on their holdouts.
        before: ``ops.quality_windows`` before this run.
        run: Its now tells which windows are over.
        windows: The grid: windows before its history do not count.
    """
    if _to_measure(resolved, run).empty:
        return Standards({}, {})
    since = complete_windows(run.as_of, windows)[0].start
    shortfall = (F.col("expected_roc_auc") - F.col("roc_auc")).alias("shortfall")
    stored = before.where(F.col("window_start") >= F.lit(since)).orderBy("window_start")
    rows = stored.select("model_version", shortfall).dropna().toPandas()
    earlier = {str(version): tuple(group["shortfall"]) for version, group in rows.groupby("model_version")}
    return Standards(holdout_intervals(evaluations), earlier)


def measure_windows(
    resolved: pd.DataFrame,
    standards: Standards,
    run: Run,
    params: QualityParams,
    seed: int,
    *,
    costs: Costs,
) -> pd.DataFrame:
    """Metrics with day-block 95 % intervals of every window that is complete, and the rules that it breaks.

    Args:
        resolved: See :func:`resolve_predictions`.
        standards: See :func:`quality_standards`.
        run: The run.
        params: When a window is complete, and the rules.
        seed: Of the bootstrap.
        costs: Cost matrix.

    Returns:
        One row per model version and complete window, columns of ``ops.quality_windows``; a window that waits for
        labels is not among them.
    """
    over = _to_measure(resolved, run)
    rows = [{**row, "run_id": run.run_id} for row in quality_rows(over, standards, params, seed, costs)]
    return pd.DataFrame(rows, columns=list(QUALITY_WINDOWS.names), dtype=object)


def _to_measure(resolved: pd.DataFrame, run: Run) -> pd.DataFrame:
    return resolved[(resolved["window_end"] <= run.as_of.date()) & ~resolved["is_measured"]]


def record_windows(measured: pd.DataFrame, before: DataFrame) -> DataFrame:
    """The measured windows as rows of ``ops.quality_windows``.

    Args:
        measured: See :func:`measure_windows`.
        before: ``ops.quality_windows`` before this run; only its session is used.
    """
    return to_frame(before, records_of(measured), QUALITY_WINDOWS)


def holdout_intervals(evaluations: DataFrame) -> Holdouts:
    """Intervals by model digest and metric, on the first holdout that the model was measured on.

    Later ones would hide a slow decay.
    """
    whole = evaluations.where("compared_to = '' AND slice = 'all'")
    first = whole.groupBy("model_digest", "metric").agg(
        *(F.min_by(end, F.struct("as_of", "run_id", "role")).alias(end) for end in ("low", "high"))
    )
    found: dict[str, dict[str, Interval]] = {}
    for row in rows_of(first.dropna().toPandas()):
        found.setdefault(row.model_digest, {})[row.metric] = Interval(row.low, row.high)
    return found


def quality_rows(
    resolved: pd.DataFrame, standards: Standards, params: QualityParams, seed: int, costs: Costs
) -> Iterator[Row]:
    """Measurements of the complete windows, see :func:`measure_windows`; a version's windows in order."""
    earlier = {version: [*shortfalls] for version, shortfalls in standards.earlier.items()}
    for (version, _), window in resolved.groupby(["model_version", "window_start"]):
        if is_complete(window, params):
            values = _values(window, params, seed, costs)
            before = earlier.setdefault(str(version), [])
            holdout = standards.holdouts.get(window["model_digest"].iloc[0], {})
            looked_at = {**values, **ratios(values)}
            broken = [r.name for r in params.rules if r.is_broken(looked_at, holdout, before)]
            if looked_at["roc_auc_shortfall"] is not None:
                before.append(looked_at["roc_auc_shortfall"])
            yield {**values, "is_violation": bool(broken), "broken_rules": broken}


def waiting_predictions(resolved: pd.DataFrame, run: Run, params: QualityParams) -> pd.DataFrame:
    """Without the windows that are over and have their outcomes, but that the model did not serve as a whole.

    They are never measured, and would count among the outcomes that are awaited for as long as they are looked at.

    Args:
        resolved: See :func:`resolve_predictions`.
        run: Its now tells which windows are over.
        params: When outcomes are in.
    """
    past = [
        window.index
        for _, window in resolved.groupby(["model_version", "window_start"])
        if window["window_end"].iloc[0] <= run.as_of.date()
        and is_settled(window, params)
        and not is_whole(window)
    ]
    return resolved.drop(index=[row for rows in past for row in rows])


def is_complete(window: pd.DataFrame, params: QualityParams) -> bool:
    """Whether a model served the whole of a window, and enough outcomes are known to judge it by them."""
    return is_whole(window) and is_settled(window, params)


def is_whole(window: pd.DataFrame) -> bool:
    """Whether a model made predictions on each of the window's days: one promoted amid a week did not."""
    first = window.iloc[0]
    return bool(window["predict_date"].nunique() == (first["window_end"] - first["window_start"]).days)


def is_settled(window: pd.DataFrame, params: QualityParams) -> bool:
    """Whether enough of a window's outcomes are known."""
    positives = int((window["label"] == True).sum())  # noqa: E712 - missing labels are neither
    return bool(
        window["is_resolved"].mean() >= params.min_resolved_share and positives >= params.min_positives
    )


def _values(window: pd.DataFrame, params: QualityParams, seed: int, costs: Costs) -> dict[str, Any]:
    first, labelled = window.iloc[0], window[window["label"].notna()]
    expected = {f"expected_{name}": number(value) for name, value in _expected(labelled, costs).items()}
    return {
        **{name: first[name] for name in ("model_version", "window_start", "window_end")},
        "rows": len(window),
        "labels": int(window["is_resolved"].sum()),
        "positives": int(labelled["label"].astype(bool).sum()),
        **_metrics(labelled, params.draws, seed, costs),
        **expected,
    }


def _metrics(labelled: pd.DataFrame, draws: int, seed: int, costs: Costs) -> dict[str, float | None]:
    label = labelled["label"].to_numpy(bool)
    scored = Scored(
        label=label,
        score=labelled["score"].to_numpy(np.float64),
        day=number_days(labelled["predict_date"].to_numpy()),
        threshold=float(labelled["threshold"].iloc[0]),
        training_rate=np.nan,
        costs=costs,
    )
    times = draw_days(int(scored.day.max()) + 1, draws, seed)
    values = {"mean_score": number(scored.score.mean()), "positive_rate": number(label.mean())}
    for metric in METRICS:
        found = estimate(resample(metric, scored, times))
        values |= {
            metric: number(found.value),
            f"{metric}_low": number(found.low),
            f"{metric}_high": number(found.high),
        }
    return values


def _expected(labelled: pd.DataFrame, costs: Costs) -> Mapping[str, float]:
    threshold = float(labelled["threshold"].iloc[0])
    return expected_metrics(labelled["score"].to_numpy(np.float64), threshold, costs)


def ratios(values: Mapping[str, float | None]) -> dict[str, float | None]:
    """What rules look at beside the metrics; None where it is not defined."""
    precision, base = values["average_precision"], values["positive_rate"]
    auc, expected = values["roc_auc"], values["expected_roc_auc"]
    return {
        "ap_over_base_rate": precision / base if precision is not None and base else None,
        "roc_auc_shortfall": expected - auc if expected is not None and auc is not None else None,
    }
