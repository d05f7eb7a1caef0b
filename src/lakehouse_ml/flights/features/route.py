"""Route: who flies where."""

from datetime import timedelta

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from lakehouse_ml.flights.features.families import category, family_contract, feature
from lakehouse_ml.flights.features.regions import with_region
from lakehouse_ml.use_case import Family

CONTRACT = family_contract(
    "route",
    category("carrier", "Carrier code (IATA)"),
    category("origin", "Departure airport (FAA)"),
    category("destination", "Arrival airport (FAA)"),
    category("region", "The destination's field of a grid: southern and western edge in degrees"),
    feature("distance_miles", "Great-circle distance", "miles"),
)


def route(flights: DataFrame, airports: DataFrame) -> DataFrame:
    """Carrier, origin and destination of every flight; one row per flight.

    Args:
        flights: ``gold.flights``.
        airports: ``silver.airports``.
    """
    asked = flights.withColumn("predict_us", F.unix_micros("predict_at"))
    distance = F.col("distance_miles").cast("double").alias("distance_miles")
    names = [name for name in CONTRACT.names if name != "distance_miles"]
    return with_region(asked, airports, "predict_us").select(*names, distance)


FAMILY = Family(contract=CONTRACT, inputs=(), lookback=timedelta(), build=route, references=("airports",))
