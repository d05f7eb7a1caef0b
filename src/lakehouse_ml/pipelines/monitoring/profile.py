"""What the features looked like in each window, counted on bin edges that are frozen with the champion."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from itertools import pairwise
from operator import or_
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pydantic import Field
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from lakehouse_ml.lakehouse.run import Run
from lakehouse_ml.lakehouse.tables import PROFILE_METRICS
from lakehouse_ml.pipelines.monitoring.champion import Watched
from lakehouse_ml.pipelines.monitoring.frames import Row, number, records_of, to_frame
from lakehouse_ml.pipelines.monitoring.params import Params
from lakehouse_ml.pipelines.monitoring.windows import Window, WindowParams, complete_windows, midnight

WHOLE_TABLE = ":table"
_NOT_FEATURES = ("key", "predict_date", "predict_at")

Edges = Mapping[str, list[float]]


class ProfileParams(Params):
    """How windows are profiled.

    Attributes:
        bins: Bins of a numeric feature, equally filled over the training window.
        edge_rows: Training rows, about, that the edges are taken from.
        frequent_items: Values of a categorical feature counted by name; the others count together.
    """

    bins: int = Field(ge=2, le=100)
    edge_rows: int = Field(ge=100)
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
        One row per column and window, and one for the whole table (``:table``); empty when nothing is due.
    """
    stored = stored_profiles(before, champion)
    spans = _due_spans(stored, champion, complete_windows(run.as_of, windows))
    if not spans:
        return to_frame(features, [], PROFILE_METRICS)
    edges = _stored_edges(stored) or frozen_edges(features, champion, params)
    rows = _spanned(features, spans)
    found = [*_numeric_rows(rows, edges), *_categorical_rows(rows, _columns(features, "string"), params)]
    _require_baseline(found, spans, champion)
    stamped = (
        _stamped(row, spans[row["span"]], champion, run) for row in [*found, *_table_rows(found, len(spans))]
    )
    return to_frame(features, stamped, PROFILE_METRICS)


def stored_profiles(profiles: DataFrame, champion: Watched) -> pd.DataFrame:
    """Identity and edges of the profiles that a champion version has; ``window_start`` is UTC."""
    mine = profiles.where(F.col("model_version") == champion.version)
    return mine.select(
        "log_type", F.col("window.start").alias("window_start"), "column_name", "data_type", "edges"
    ).toPandas()


def _due_spans(stored: pd.DataFrame, champion: Watched, windows: Sequence[Window]) -> list[Span]:
    wanted = [
        Span("BASELINE", Window(champion.trained_from, champion.trained_until)),
        *(Span("INPUT", window) for window in windows),
    ]
    done = {
        (log, start.date()) for log, start in zip(stored["log_type"], stored["window_start"], strict=True)
    }
    return [span for span in wanted if (span.log_type, span.window.start) not in done]


def _stored_edges(stored: pd.DataFrame) -> Edges:
    baseline = stored[(stored["log_type"] == "BASELINE") & (stored["data_type"] == "double")]
    return {
        name: [float(edge) for edge in edges]
        for name, edges in zip(baseline["column_name"], baseline["edges"], strict=True)
    }


def _columns(features: DataFrame, data_type: str) -> list[str]:
    return [name for name, kind in features.dtypes if kind == data_type and name not in _NOT_FEATURES]


def frozen_edges(features: DataFrame, champion: Watched, params: ProfileParams) -> Edges:
    """Inner bin edges of every numeric feature over the champion's training window.

    They come from about ``edge_rows`` rows, chosen by a hash of the key: the same rows in every run.
    """
    names = _columns(features, "double")
    training = _spanned(features, [Span("BASELINE", Window(champion.trained_from, champion.trained_until))])
    share = max(1, training.count() // params.edge_rows)
    sample = training.where(F.pmod(F.xxhash64("key"), F.lit(share)) == 0).select(*names).toPandas()
    return {name: bin_edges(sample[name].dropna().to_numpy(np.float64), params.bins) for name in names}


def bin_edges(values: NDArray[np.float64], bins: int) -> list[float]:
    """Inner edges of bins ``(edge, next edge]`` that hold about equally many values.

    A feature of few levels gets a bin for each. No edge equals the largest value: the bin above would stay
    empty, and the value's own share would be lost among smaller ones.
    """
    levels = np.unique(values)
    if len(levels) <= bins:
        return [float(level) for level in levels[:-1]]
    quantiles = np.quantile(values, np.arange(1, bins) / bins)
    return [float(edge) for edge in np.unique(np.minimum(quantiles, levels[-2]))]


def _spanned(features: DataFrame, spans: Sequence[Span]) -> DataFrame:
    """The rows of the spans, once for each that they fall into; ``span`` is its place in the list."""
    day = F.col("predict_date")
    inside = [(day >= F.lit(s.window.start)) & (day < F.lit(s.window.end)) for s in spans]
    places = F.array_compact(F.array(*(F.when(is_in, F.lit(n)) for n, is_in in enumerate(inside))))
    return features.where(reduce(or_, inside)).withColumn("span", F.explode(places))


def _numeric_rows(rows: DataFrame, edges: Edges) -> Iterator[Row]:
    if not edges:
        return
    names = rows.sparkSession.createDataFrame(list(edges.items()), "column_name string, edges array<double>")
    values = rows.unpivot("span", list(edges), "column_name", "value").join(F.broadcast(names), "column_name")
    value, widest = F.col("value"), max(len(inner) for inner in edges.values())
    counted = values.groupBy("span", "column_name").agg(
        F.count("*").alias("count"),
        F.count("value").alias("present"),
        F.count_if(value == 0).alias("num_zeros"),
        F.approx_count_distinct("value").alias("distinct_count"),
        *(function("value").alias(function.__name__) for function in (F.avg, F.stddev, F.min, F.max)),
        *(F.count_if(value > F.get("edges", F.lit(n))).alias(f"above_{n}") for n in range(widest)),
    )
    for found in records_of(counted.toPandas()):
        yield _numeric_row(found, edges[found["column_name"]])


def _numeric_row(found: Row, edges: list[float]) -> Row:
    above = [found["present"], *(found[f"above_{n}"] for n in range(len(edges))), 0]
    # The approximate count may come out above the number of values.
    distinct = min(found["distinct_count"], found["present"])
    return {
        **_counts({**found, "distinct_count": distinct}, "double"),
        "num_zeros": found["num_zeros"],
        "percent_zeros": _percent(found["num_zeros"], found["count"]),
        **{name: number(found[name]) for name in ("avg", "stddev", "min", "max")},
        "edges": edges,
        "bin_counts": [int(more - less) for more, less in pairwise(above)],
    }


def _categorical_rows(rows: DataFrame, names: Sequence[str], params: ProfileParams) -> Iterator[Row]:
    if not names:
        return
    values = rows.unpivot("span", list(names), "column_name", "value")
    counted = values.groupBy("span", "column_name", "value").agg(F.count("*").alias("count")).toPandas()
    for (span, name), group in counted.groupby(["span", "column_name"]):
        items = group.dropna(subset="value").sort_values(["count", "value"], ascending=[False, True])
        totals = {
            "span": span,
            "column_name": name,
            "count": int(group["count"].sum()),
            "present": int(items["count"].sum()),
            "distinct_count": len(items),
        }
        top = items.head(params.frequent_items)
        frequent = {value: int(count) for value, count in zip(top["value"], top["count"], strict=True)}
        yield {**_counts(totals, "string"), "frequent_items": frequent}


def _table_rows(found: Sequence[Row], spans: int) -> Iterator[Row]:
    sizes = {row["span"]: row["count"] for row in found}
    for span in range(spans):
        totals = {
            "span": span,
            "column_name": WHOLE_TABLE,
            "count": sizes.get(span, 0),
            "distinct_count": None,
        }
        yield _counts({**totals, "present": totals["count"]}, "table")


def _counts(found: Row, data_type: str) -> dict[str, Any]:
    missing = int(found["count"] - found["present"])
    return {
        "span": int(found["span"]),
        "column_name": found["column_name"],
        "data_type": data_type,
        "count": int(found["count"]),
        "num_nulls": missing,
        "percent_null": _percent(missing, found["count"]),
        "distinct_count": found["distinct_count"],
        "percent_distinct": _percent(found["distinct_count"], found["present"]),
    }


def _percent(part: int | None, whole: int) -> float | None:
    return number(100 * part / whole) if whole and part is not None else None


def _require_baseline(found: Sequence[Row], spans: Sequence[Span], champion: Watched) -> None:
    missing = spans[0].log_type == "BASELINE" and not any(row["span"] == 0 for row in found)
    if missing:
        raise ValueError(
            f"gold.features has no rows from {champion.trained_from} to {champion.trained_until}, the "
            f"training window of champion {champion.version}: rebuild it with `kedro refresh --layer gold`."
        )


def _stamped(row: Row, span: Span, champion: Watched, run: Run) -> Row:
    edges = {"start": midnight(span.window.start), "end": midnight(span.window.end)}
    identity = {
        "model_version": champion.version,
        "log_type": span.log_type,
        "window": edges,
        "run_id": run.run_id,
    }
    return {**dict.fromkeys(PROFILE_METRICS.names), **row, **identity}
