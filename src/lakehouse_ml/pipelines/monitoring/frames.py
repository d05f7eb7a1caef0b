"""Between small tables in Spark and plain rows: frames by contract, timestamps in UTC on any machine."""

import math
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

import pandas as pd
from pyspark.sql import DataFrame

from lakehouse_ml.lakehouse.contract import Contract
from lakehouse_ml.lakehouse.on_driver import to_spark

Row = Mapping[str, Any]

# Sums of doubles depend on the order of the parts in their last digits; a rerun must give the same row.
SIGNIFICANT_DIGITS = 10


def to_frame(like: DataFrame, rows: Iterable[Row], contract: Contract) -> DataFrame:
    """Rows as a Spark frame with the contract's columns.

    Args:
        like: Any frame of the session.
        rows: Values by column name, see :func:`to_spark`.
        contract: Names and types.
    """
    return to_spark(like.sparkSession, rows, contract)


def rows_of(frame: pd.DataFrame) -> Iterator[Any]:
    """The rows with their columns as attributes."""
    return iter(frame.itertuples(index=False))


def records_of(frame: pd.DataFrame) -> Iterator[dict[str, Any]]:
    """The rows as values by column name."""
    return iter(frame.to_dict("records"))  # type: ignore[arg-type]


def naive(moment: datetime) -> pd.Timestamp:
    """The moment in UTC without its zone, as small tables read from Spark have it."""
    return pd.Timestamp(moment).tz_convert(UTC).tz_localize(None)


def number(value: Any) -> float | None:
    """A plain number rounded to significant digits; None for what is missing or not finite."""
    if value is None or not math.isfinite(value):
        return None
    return float(f"{float(value):.{SIGNIFICANT_DIGITS}g}")
