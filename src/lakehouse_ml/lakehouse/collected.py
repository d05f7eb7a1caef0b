"""A Spark frame on the driver."""

import pandas as pd
from pyspark.sql import DataFrame


def collected(frame: DataFrame) -> pd.DataFrame:
    """The rows as pandas has them, and nothing else, so that they can be stored.

    Spark Connect hangs the query's metrics on the frame, which no file format takes.
    """
    rows = frame.toPandas()
    rows.attrs = {}
    return rows
