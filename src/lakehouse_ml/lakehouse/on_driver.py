"""Between Spark and the driver's memory, in a classic session and over Spark Connect alike."""

from collections.abc import Iterable, Mapping
from typing import Any

import pandas as pd
from pyspark.sql import DataFrame, SparkSession  # noqa: TID251 - the type alone; nothing is opened here

from lakehouse_ml.lakehouse.contract import Contract


def collected(frame: DataFrame) -> pd.DataFrame:
    """The rows as pandas has them, and nothing else, so that they can be stored.

    Spark Connect hangs the query's metrics on the frame, which no file format takes.
    """
    rows = frame.toPandas()
    rows.attrs = {}
    return rows


def to_spark(session: SparkSession, rows: Iterable[Mapping[str, Any]], contract: Contract) -> DataFrame:
    """Rows as a Spark frame with the contract's columns.

    Args:
        session: The session.
        rows: Values by column name; timestamps must know their zone, structs are mappings, arrays any sequence.
        contract: Names and types.
    """
    schema = ", ".join(f"`{column.name}` {column.type}" for column in contract.columns)
    arrays = {column.name for column in contract.columns if column.type.startswith("array<")}
    values = [tuple(_value(row[name], name in arrays) for name in contract.names) for row in rows]
    return session.createDataFrame(values, schema)


def _value(value: Any, is_array: bool) -> Any:
    # Spark Connect takes lists for arrays, and no tuples.
    return list(value) if is_array and value is not None else value
