"""Regions: fields of a grid over the destinations, so that far-off weather shows in few flights."""

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

LATITUDE_DEGREES, LONGITUDE_DEGREES = 5, 8
# Airports that the register lacks share one region.
UNLISTED = "unlisted"


def with_region(frame: DataFrame, airports: DataFrame, at: str) -> DataFrame:
    """The frame with ``region`` (string), the destination's field of the grid as the register had it at an instant.

    Args:
        frame: Has ``destination`` and the instant.
        airports: ``silver.airports``, one row per revision.
        at: Column of the instant, microseconds UTC.
    """
    known_from = F.unix_micros("published_at")
    later = Window.partitionBy("airport").orderBy("published_at", "_revision")
    known = airports.select(
        F.col("airport").alias("_airport"),
        _field().alias("_region"),
        known_from.alias("_from"),
        F.lead(known_from).over(later).alias("_to"),
    )
    is_known = (F.col(at) >= F.col("_from")) & (F.col("_to").isNull() | (F.col(at) < F.col("_to")))
    joined = frame.join(F.broadcast(known), (F.col("destination") == F.col("_airport")) & is_known, "left")
    return joined.select(*frame.columns, F.coalesce("_region", F.lit(UNLISTED)).alias("region"))


def _field() -> Column:
    row = F.floor(F.col("latitude") / LATITUDE_DEGREES) * LATITUDE_DEGREES
    column = F.floor(F.col("longitude") / LONGITUDE_DEGREES) * LONGITUDE_DEGREES
    return F.concat_ws("/", row.cast("string"), column.cast("string"))
