"""What the features looked like in each window, put together from its days."""

from collections.abc import Iterator

import numpy as np
from pyspark.sql import DataFrame

from lakehouse_ml.lakehouse.column_counts import Counts
from lakehouse_ml.lakehouse.distinct_sketch import distinct_count
from lakehouse_ml.lakehouse.run import Run
from lakehouse_ml.lakehouse.tables import PROFILE_METRICS
from lakehouse_ml.pipelines.monitoring.champion import Watched
from lakehouse_ml.pipelines.monitoring.counting import Counted, ProfileParams, Span
from lakehouse_ml.pipelines.monitoring.frames import Row, number, to_frame
from lakehouse_ml.pipelines.monitoring.windows import midnight

WHOLE_TABLE = ":table"
FEATURES_TABLE = "gold.features"
# Raised when the way of counting changes.
MONITOR_VERSION = 1
LEVELS = np.linspace(0, 1, 11)


def profile(
    counted: Counted,
    champion: Watched,
    before: DataFrame,
    run: Run,
    table_versions: dict[str, int],
    params: ProfileParams,
) -> DataFrame:
    """Profiles of the windows and days that this champion version has none of yet, and once of its training window.

    Args:
        counted: Output of ``count_days``.
        champion: Whose edges count.
        before: ``ops.profile_metrics`` before this run; only its session is used.
        run: The run.
        table_versions: Delta version by table.
        params: Values stored by name.

    Returns:
        One row per column and window, and one for the whole table (``:table``); empty when nothing is due.
    """
    identity = {
        "model_version": champion.version,
        "run_id": run.run_id,
        "logging_table_commit_version": table_versions[FEATURES_TABLE],
    }
    rows = (row for span in counted.spans for row in span_rows(span, counted, params.frequent_items))
    return to_frame(before, ({**row, **identity} for row in rows), PROFILE_METRICS)


def span_rows(span: Span, counted: Counted, most: int) -> Iterator[Row]:
    """The rows of one window, without the version and the run."""
    columns = counted.of(span.window)
    window = {"start": midnight(span.window.start), "end": midnight(span.window.end)}
    identity = {
        **dict.fromkeys(PROFILE_METRICS.names),
        "log_type": span.log_type,
        "window": window,
        "granularity": span.granularity,
        "monitor_version": MONITOR_VERSION,
    }
    size = max((counts.count for counts in columns.values()), default=0)
    filled = [name for name, counts in columns.items() if counts.present]
    yield {**identity, **_shared(WHOLE_TABLE, "table", Counts(size)), "non_null_columns": filled}
    for name, counts in columns.items():
        edges = counted.edges.get(name)
        row = _text_row(name, counts, most) if edges is None else _number_row(name, counts, edges)
        yield {**identity, **row}


def _text_row(name: str, counts: Counts, most: int) -> Row:
    ranked = sorted((counts.items or {}).items(), key=lambda item: (-item[1], item[0]))
    lengths = [len(value) for value, _ in ranked]
    characters = sum(len(value) * rows for value, rows in ranked)
    named = sum(rows for _, rows in ranked)
    return {
        **_shared(name, "string", counts),
        "distinct_count": len(ranked),
        "percent_distinct": _percent(len(ranked), counts.present),
        "min_length": min(lengths, default=None),
        "max_length": max(lengths, default=None),
        "avg_length": number(characters / named) if named else None,
        "frequent_items": [{"item": value, "count": rows} for value, rows in ranked[:most]],
    }


def _number_row(name: str, counts: Counts, edges: list[float]) -> Row:
    # The estimate may come out above the number of values.
    distinct = min(distinct_count(counts.registers), counts.present)
    spread = np.sqrt(counts.deviation / (counts.present - 1)) if counts.present > 1 else np.nan
    levels = _quantiles(counts, edges)
    return {
        **_shared(name, "double", counts),
        "distinct_count": distinct,
        "percent_distinct": _percent(distinct, counts.present),
        "num_nan": counts.nans,
        "percent_nan": _percent(counts.nans, counts.count),
        "num_zeros": counts.zeros,
        "percent_zeros": _percent(counts.zeros, counts.count),
        "avg": number(counts.mean) if counts.present else None,
        "stddev": number(spread),
        "min": number(counts.smallest),
        "max": number(counts.largest),
        "quantiles": levels,
        "median": levels[len(levels) // 2] if levels else None,
        "edges": edges,
        "bin_counts": list(counts.bins),
        "distinct_sketch": counts.registers,
    }


def _quantiles(counts: Counts, edges: list[float]) -> list[float | None]:
    """Values below which a tenth, two tenths, ... of the rows lie; exact at the edges, by proportion between them."""
    if not counts.present:
        return []
    bounds = np.clip([counts.smallest, *edges, counts.largest], counts.smallest, counts.largest)
    below = np.concatenate([[0], np.cumsum(counts.bins)])
    return [number(value) for value in np.interp(LEVELS * counts.present, below, bounds)]


def _shared(name: str, data_type: str, counts: Counts) -> Row:
    return {
        "column_name": name,
        "data_type": data_type,
        "count": counts.count,
        "num_nulls": counts.nulls,
        "percent_null": _percent(counts.nulls, counts.count),
    }


def _percent(part: int, whole: int) -> float | None:
    return number(100 * part / whole) if whole else None
