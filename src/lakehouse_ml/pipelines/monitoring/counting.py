"""The days that a run looks at, counted in one pass on the champion's frozen edges."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pydantic import Field
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from lakehouse_ml.lakehouse.column_counts import (
    PARTS_SCHEMA,
    Counts,
    Edges,
    counter,
    counts_by_day,
    total,
)
from lakehouse_ml.lakehouse.run import Run
from lakehouse_ml.pipelines.monitoring.champion import Watched
from lakehouse_ml.pipelines.monitoring.frames import Row, records_of
from lakehouse_ml.pipelines.monitoring.params import Params
from lakehouse_ml.pipelines.monitoring.windows import (
    Window,
    WindowParams,
    complete_windows,
    joined,
    midnight,
    newest_days,
)

BASELINE, INPUT = "BASELINE", "INPUT"
DAY = "predict_date"
# What features are made of; a boolean counts as 0 and 1.
NUMBERS, TEXTS = ("double", "int", "bigint", "boolean"), ("string",)
_NOT_FEATURES = ("key", DAY, "predict_at")

DayCounts = Mapping[date, Mapping[str, Counts]]


class ProfileParams(Params):
    """How windows are profiled.

    Attributes:
        bins: Bins of a numeric feature, equally filled over the training window.
        edge_rows: About so many training rows place the edges; all of them are counted.
        frequent_items: Values of a categorical feature stored by name; the others count together.
    """

    bins: int = Field(ge=2, le=100)
    edge_rows: int = Field(ge=100)
    frequent_items: int = Field(ge=1)


@dataclass(frozen=True)
class Span:
    """A window and the role it plays: ``BASELINE`` is the champion's training window."""

    log_type: str
    window: Window

    @property
    def granularity(self) -> str:
        """Length of the window in words, as the vendor has it."""
        return {1: "1 day", 7: "1 week"}.get(self.window.days, f"{self.window.days} days")


@dataclass(frozen=True)
class Counted:
    """What the features looked like.

    Attributes:
        spans: Windows and days to be stored, the training window first.
        days: Counts by day and feature, of the windows due and of the newest days.
        edges: Inner bin edges by numeric feature.
    """

    spans: tuple[Span, ...]
    days: DayCounts
    edges: Edges

    def of(self, window: Window) -> dict[str, Counts]:
        """Counts by feature over a window, from its days; features of no day are not there."""
        inside = [counts for day, counts in self.days.items() if window.start <= day < window.end]
        names = sorted({name for counts in inside for name in counts})
        return {name: total(counts[name] for counts in inside) for name in names}


def count_days(
    features: DataFrame,
    champion: Watched,
    before: DataFrame,
    run: Run,
    windows: WindowParams,
    params: ProfileParams,
) -> Counted:
    """Every feature counted by day: of the windows that this champion version has no profile of, and lately.

    Days that are on record are taken from there; no row of them is read again.

    Args:
        features: ``gold_features``, one row per key; reads predict_date and every feature.
        champion: Whose edges count; they are placed by its training window when it is first watched.
        before: ``ops.profile_metrics`` before this run.
        run: The run's now.
        windows: The grid.
        params: Bins.

    Raises:
        ValueError: The training window has no rows.
    """
    grid, lately = complete_windows(run.as_of, windows), newest_days(run.as_of, windows)
    stored = stored_profiles(before, champion, min(grid[0].start, lately[0]))
    spans, known = due_spans(stored, champion, grid), stored_days(stored)
    is_first = bool(spans) and spans[0].log_type == BASELINE
    edges = training_edges(features, champion, params) if is_first else stored_edges(stored)
    new = [day for day in due_days(spans, lately) if day not in known]
    wanted = [
        *(day_window(day) for day in new),
        *(span.window for span in spans if span.log_type == BASELINE),
    ]
    days = {**known, **counted_by_day(features, wanted, edges)}
    over = (Span(INPUT, day_window(day)) for day in new if day < run.as_of.date() and windows.days > 1)
    return Counted((*spans, *over), days, edges)


def stored_profiles(profiles: DataFrame, champion: Watched, since: date) -> pd.DataFrame:
    """The training window's profile of a champion version, and those that begin on a day or later.

    Returns:
        Columns of ``ops.profile_metrics``, with window_start and window_end (UTC) for the window.
    """
    is_wanted = (F.col("log_type") == BASELINE) | (F.col("window.start") >= F.lit(midnight(since)))
    mine = profiles.where((F.col("model_version") == champion.version) & is_wanted)
    ends = (F.col(f"window.{end}").alias(f"window_{end}") for end in ("start", "end"))
    return mine.select("*", *ends).drop("window").toPandas()


def due_spans(stored: pd.DataFrame, champion: Watched, windows: Iterable[Window]) -> list[Span]:
    """The windows without a profile; the training window first, if it is due."""
    wanted = [
        Span(BASELINE, Window(champion.trained_from, champion.trained_until)),
        *(Span(INPUT, window) for window in windows),
    ]
    ends = zip(stored["log_type"], stored["window_start"], stored["window_end"], strict=True)
    done = {Span(log, Window(start.date(), end.date())) for log, start, end in set(ends)}
    return [span for span in wanted if span not in done]


def due_days(spans: Iterable[Span], lately: Iterable[date]) -> list[date]:
    """The days that windows are put together from, and the newest ones, in order."""
    inputs = (day for span in spans if span.log_type == INPUT for day in span.window.each_day())
    return sorted({*inputs, *lately})


def day_window(day: date) -> Window:
    """The day as a window."""
    return Window(day, day + timedelta(days=1))


def stored_days(stored: pd.DataFrame) -> DayCounts:
    """Counts by day and feature of the days on record."""
    is_day = stored["window_end"] - stored["window_start"] == timedelta(days=1)
    days: dict[date, dict[str, Counts]] = {}
    for row in records_of(stored[is_day & (stored["log_type"] == INPUT) & (stored["data_type"] != "table")]):
        days.setdefault(row["window_start"].date(), {})[row["column_name"]] = stored_counts(row)
    return days


def stored_counts(row: Row) -> Counts:
    """Counts from a row of ``ops.profile_metrics``; means and spreads to the digits that are stored."""
    count, nulls = int(row["count"]), int(row["num_nulls"])
    if row["data_type"] == "string":
        return Counts(count, nulls, items=items_of(row))
    present = count - nulls - int(row["num_nan"])
    return Counts(
        count=count,
        nulls=nulls,
        nans=int(row["num_nan"]),
        zeros=int(row["num_zeros"]),
        mean=row["avg"] if present else 0.0,
        deviation=row["stddev"] ** 2 * (present - 1) if present > 1 else 0.0,
        smallest=row["min"] if present else np.inf,
        largest=row["max"] if present else -np.inf,
        bins=tuple(int(rows) for rows in row["bin_counts"]),
        registers=bytes(row["distinct_sketch"]),
    )


def items_of(row: Row) -> dict[str, int]:
    """Rows by value of a categorical column, from its row of ``ops.profile_metrics``."""
    return {entry["item"]: int(entry["count"]) for entry in row["frequent_items"]}


def stored_edges(stored: pd.DataFrame) -> Edges:
    """The edges as they were frozen with the champion, by numeric feature."""
    baseline = stored[(stored["log_type"] == BASELINE) & (stored["data_type"] == "double")]
    return {
        name: [float(edge) for edge in edges]
        for name, edges in zip(baseline["column_name"], baseline["edges"], strict=True)
    }


def feature_names(features: DataFrame, kinds: Collection[str]) -> list[str]:
    """The features of some types: ``NUMBERS`` or ``TEXTS``."""
    return [name for name, kind in features.dtypes if kind in kinds and name not in _NOT_FEATURES]


def training_edges(features: DataFrame, champion: Watched, params: ProfileParams) -> Edges:
    """Inner bin edges by numeric feature, from about ``edge_rows`` training rows chosen by a hash of their key.

    Raises:
        ValueError: There are none.
    """
    training = features.where(_within([Window(champion.trained_from, champion.trained_until)]))
    share = max(1, training.count() // params.edge_rows)
    names = feature_names(features, NUMBERS)
    sample = training.where(F.pmod(F.xxhash64("key"), F.lit(share)) == 0).select(*names).toPandas()
    if sample.empty:
        raise ValueError(
            f"gold.features has no rows from {champion.trained_from} to {champion.trained_until}, the training "
            f"window of champion {champion.version}: rebuild it with `kedro refresh --layer gold`."
        )
    return frozen_edges(sample, params.bins)


def frozen_edges(sample: pd.DataFrame, bins: int) -> Edges:
    """Inner bin edges by column of numbers."""
    columns = ((str(name), values.dropna().to_numpy(np.float64)) for name, values in sample.items())
    return {name: bin_edges(values, bins) for name, values in columns}


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


def counted_by_day(features: DataFrame, windows: Iterable[Window], edges: Edges) -> DayCounts:
    """Counts by day and feature of the days of some windows, each row read once."""
    texts = tuple(feature_names(features, TEXTS))
    rows = features.where(_within(windows)).select(DAY, *edges, *texts)
    parts = rows.mapInArrow(counter(DAY, edges, texts), PARTS_SCHEMA).collect()
    return counts_by_day(part.asDict() for part in parts)


def _within(windows: Iterable[Window]) -> Column:
    day, inside = F.col(DAY), F.lit(False)
    # Plain limits let the scan skip the days outside. Spark Connect takes no expression a hundred levels deep.
    for window in joined(windows):
        inside = inside | ((day >= F.lit(window.start)) & (day < F.lit(window.end)))
    return inside
