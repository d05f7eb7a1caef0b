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


def profile(
    counted: Counted, champion: Watched, before: DataFrame, run: Run, params: ProfileParams
) -> DataFrame:
    """Profiles of the windows that this champion version has none of yet, and once of its training window.

    Args:
        counted: Output of ``count_days``.
        champion: Whose edges count.
        before: ``ops.profile_metrics`` before this run; only its session is used.
        run: The run.
        params: Values stored by name.

    Returns:
        One row per column and window, and one for the whole table (``:table``); empty when nothing is due.
    """
    identity = {"model_version": champion.version, "run_id": run.run_id}
    rows = (row for span in counted.spans for row in span_rows(span, counted, params.frequent_items))
    return to_frame(before, ({**row, **identity} for row in rows), PROFILE_METRICS)


def span_rows(span: Span, counted: Counted, most: int) -> Iterator[Row]:
    """The rows of one window, without the version and the run."""
    columns = counted.of(span.window)
    window = {"start": midnight(span.window.start), "end": midnight(span.window.end)}
    identity = {**dict.fromkeys(PROFILE_METRICS.names), "log_type": span.log_type, "window": window}
    size = max((counts.count for counts in columns.values()), default=0)
    yield {**identity, **_shared(WHOLE_TABLE, "table", Counts(size))}
    for name, counts in columns.items():
        edges = counted.edges.get(name)
        row = _text_row(name, counts, most) if edges is None else _number_row(name, counts, edges)
        yield {**identity, **row}


def _text_row(name: str, counts: Counts, most: int) -> Row:
    ranked = sorted((counts.items or {}).items(), key=lambda item: (-item[1], item[0]))
    return {
        **_shared(name, "string", counts),
        "distinct_count": len(ranked),
        "percent_distinct": _percent(len(ranked), counts.present),
        "frequent_items": dict(ranked[:most]),
    }


def _number_row(name: str, counts: Counts, edges: list[float]) -> Row:
    # The estimate may come out above the number of values.
    distinct = min(distinct_count(counts.registers), counts.present)
    spread = np.sqrt(counts.deviation / (counts.present - 1)) if counts.present > 1 else np.nan
    return {
        **_shared(name, "double", counts),
        "distinct_count": distinct,
        "percent_distinct": _percent(distinct, counts.present),
        "num_zeros": counts.zeros,
        "percent_zeros": _percent(counts.zeros, counts.count),
        "avg": number(counts.mean) if counts.present else None,
        "stddev": number(spread),
        "min": number(counts.smallest),
        "max": number(counts.largest),
        "edges": edges,
        "bin_counts": list(counts.bins),
    }


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
