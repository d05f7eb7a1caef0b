"""Counts of every column in one pass: what a profile is made of."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from lakehouse_ml.pipelines.monitoring.frames import Row, number, records_of

WHOLE_TABLE = ":table"

Edges = Mapping[str, list[float]]


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


def numeric_rows(rows: DataFrame, edges: Edges) -> Iterator[Row]:
    """Counts, moments and bins of every numeric column, by ``span``, in one job over all of them.

    Args:
        rows: The columns, and ``span`` (int).
        edges: Inner bin edges by column.
    """
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


def categorical_rows(rows: DataFrame, names: Sequence[str], most: int) -> Iterator[Row]:
    """Counts by value of every categorical column, by ``span``, in one job over all of them.

    Args:
        rows: The columns, and ``span`` (int).
        names: Categorical columns.
        most: Values counted by name.
    """
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
        top = items.head(most)
        frequent = {value: int(count) for value, count in zip(top["value"], top["count"], strict=True)}
        yield {**_counts(totals, "string"), "frequent_items": frequent}


def table_rows(found: Sequence[Row], spans: int) -> Iterator[Row]:
    """The number of rows in every span; 0 where no column was found.

    Args:
        found: Rows of the columns.
        spans: How many there are.
    """
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
