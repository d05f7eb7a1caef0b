"""What the features looked like in each window, counted on bin edges that are frozen with the champion."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce

import numpy as np
import pandas as pd
from pydantic import Field
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from lakehouse_ml.lakehouse.run import Run
from lakehouse_ml.lakehouse.tables import PROFILE_METRICS
from lakehouse_ml.pipelines.monitoring.champion import Watched
from lakehouse_ml.pipelines.monitoring.counting import (
    Edges,
    bin_edges,
    categorical_rows,
    numeric_rows,
    table_rows,
)
from lakehouse_ml.pipelines.monitoring.frames import Row, to_frame
from lakehouse_ml.pipelines.monitoring.params import Params
from lakehouse_ml.pipelines.monitoring.windows import Window, WindowParams, complete_windows, midnight

_BASELINE, _INPUT = "BASELINE", "INPUT"
_NOT_FEATURES = ("key", "predict_date", "predict_at")


class ProfileParams(Params):
    """How windows are profiled.

    Attributes:
        bins: Bins of a numeric feature, equally filled over the training window.
        baseline_rows: About so many training rows stand for the training window: more would tell the same, and
            cost more with every year of history.
        frequent_items: Values of a categorical feature counted by name; the others count together.
    """

    bins: int = Field(ge=2, le=100)
    baseline_rows: int = Field(ge=100)
    frequent_items: int = Field(ge=1)


@dataclass(frozen=True)
class Span:
    """A window and the role it plays: ``BASELINE`` is the champion's training window."""

    log_type: str
    window: Window


def profile(
    features: DataFrame,
    champion: Watched,
    before: DataFrame,
    run: Run,
    windows: WindowParams,
    params: ProfileParams,
) -> DataFrame:
    """Profiles of the windows that this champion version has none of yet, and once of its training window.

    Args:
        features: ``gold_features``, one row per key; reads predict_date and every feature.
        champion: Whose edges count.
        before: ``ops.profile_metrics`` before this run.
        run: The run's now.
        windows: The grid.
        params: Bins and limits.

    Returns:
        One row per column and window, and one for the whole table (``:table``); empty when nothing is due. Rows of
        the type ``INPUT`` count every row of the window, those of the type ``BASELINE`` the sample.
    """
    stored = stored_profiles(before, champion)
    spans = _due_spans(stored, champion, complete_windows(run.as_of, windows))
    if not spans:
        return to_frame(features, [], PROFILE_METRICS)
    sample = None
    if spans[0].log_type == _BASELINE:
        sample = training_sample(features, champion, params)
    numeric = feature_names(features, "double")
    edges = _stored_edges(stored) if sample is None else _frozen_edges(sample[numeric], params)
    rows = _spanned(features, sample, spans)
    found = [
        *numeric_rows(rows, edges),
        *categorical_rows(rows, feature_names(features, "string"), params.frequent_items),
    ]
    every = [*found, *table_rows(found, len(spans))]
    return to_frame(
        features, (_stamped(row, spans[row["span"]], champion, run) for row in every), PROFILE_METRICS
    )


def stored_profiles(profiles: DataFrame, champion: Watched) -> pd.DataFrame:
    """Identity and edges of the profiles that a champion version has; ``window_start`` is UTC."""
    mine = profiles.where(F.col("model_version") == champion.version)
    start = F.col("window.start").alias("window_start")
    return mine.select("log_type", start, "column_name", "data_type", "edges").toPandas()


def _due_spans(stored: pd.DataFrame, champion: Watched, windows: Sequence[Window]) -> list[Span]:
    """The training window first, if it is due."""
    wanted = [
        Span(_BASELINE, Window(champion.trained_from, champion.trained_until)),
        *(Span(_INPUT, window) for window in windows),
    ]
    done = {
        (log, start.date()) for log, start in zip(stored["log_type"], stored["window_start"], strict=True)
    }
    return [span for span in wanted if (span.log_type, span.window.start) not in done]


def feature_names(features: DataFrame, data_type: str) -> list[str]:
    """The features of a type, ``double`` or ``string``."""
    return [name for name, kind in features.dtypes if kind == data_type and name not in _NOT_FEATURES]


def training_sample(features: DataFrame, champion: Watched, params: ProfileParams) -> pd.DataFrame:
    """About ``baseline_rows`` rows of the champion's training window, chosen by a hash of their key.

    Raises:
        ValueError: There are none.
    """
    day = F.col("predict_date")
    training = features.where((day >= F.lit(champion.trained_from)) & (day < F.lit(champion.trained_until)))
    share = max(1, training.count() // params.baseline_rows)
    names = [*feature_names(features, "double"), *feature_names(features, "string")]
    sample = training.where(F.pmod(F.xxhash64("key"), F.lit(share)) == 0).select(*names).toPandas()
    if sample.empty:
        raise ValueError(
            f"gold.features has no rows from {champion.trained_from} to {champion.trained_until}, the training "
            f"window of champion {champion.version}: rebuild it with `kedro refresh --layer gold`."
        )
    return sample


def _frozen_edges(sample: pd.DataFrame, params: ProfileParams) -> Edges:
    columns = ((str(name), values.dropna().to_numpy(np.float64)) for name, values in sample.items())
    return {name: bin_edges(values, params.bins) for name, values in columns}


def _stored_edges(stored: pd.DataFrame) -> Edges:
    baseline = stored[(stored["log_type"] == _BASELINE) & (stored["data_type"] == "double")]
    return {
        name: [float(edge) for edge in edges]
        for name, edges in zip(baseline["column_name"], baseline["edges"], strict=True)
    }


def _spanned(features: DataFrame, sample: pd.DataFrame | None, spans: Sequence[Span]) -> DataFrame:
    """The rows to count; ``span`` is the place in the list of the one that they belong to."""
    parts, names = [], [*feature_names(features, "double"), *feature_names(features, "string")]
    if sample is not None:
        schema = ", ".join(f"`{name}` {kind}" for name, kind in features.select(*names).dtypes)
        frame = features.sparkSession.createDataFrame(sample, schema)
        parts.append(frame.withColumn("span", F.lit(0)))
    inputs = [(place, span.window) for place, span in enumerate(spans) if span.log_type == _INPUT]
    if inputs:
        parts.append(_rows_within(features, inputs).select(*names, "span"))
    return reduce(DataFrame.unionByName, parts)


def _rows_within(features: DataFrame, windows: Sequence[tuple[int, Window]]) -> DataFrame:
    day = F.col("predict_date")
    # Plain limits let the scan skip the days outside.
    near = (day >= F.lit(windows[0][1].start)) & (day < F.lit(windows[-1][1].end))
    places = (
        F.when((day >= F.lit(window.start)) & (day < F.lit(window.end)), F.lit(place))
        for place, window in windows
    )
    return features.where(near).withColumn("span", F.coalesce(*places)).where("span IS NOT NULL")


def _stamped(row: Row, span: Span, champion: Watched, run: Run) -> Row:
    edges = {"start": midnight(span.window.start), "end": midnight(span.window.end)}
    identity = {
        "model_version": champion.version,
        "log_type": span.log_type,
        "window": edges,
        "run_id": run.run_id,
    }
    return {**dict.fromkeys(PROFILE_METRICS.names), **row, **identity}
