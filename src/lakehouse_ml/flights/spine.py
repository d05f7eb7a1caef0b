"""The spine: every scheduled flight, asked about two hours before its scheduled departure."""

from datetime import timedelta

from pyspark.sql import Column as SparkColumn
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from lakehouse_ml.flights.sources import timetable as timetable_source
from lakehouse_ml.lakehouse.contract import Column, Contract
from lakehouse_ml.lakehouse.point_in_time import micros
from lakehouse_ml.use_case import Spine

HORIZON = timedelta(hours=2)
# A timetable that comes out earlier is warned of where it lands.
LOOKBACK = timedelta(hours=timetable_source.AHEAD_HOURS) - HORIZON
FLIGHT_KEY = list(timetable_source.FLIGHT_KEY)
AS_SCHEDULED = ("destination", "distance_miles", "scheduled_arrival_at")

KEY = Column("key", "string", "<carrier><flight>-<origin>-<scheduled departure UTC, yyyyMMddTHHmm>")

CONTRACT = Contract(
    table="gold.flights",
    grain="scheduled flight, as known two hours before its scheduled departure",
    key=("key",),
    columns=(
        KEY,
        Column(
            "predict_at",
            "timestamp",
            "Moment of the question: two hours before scheduled departure",
            unit="UTC",
        ),
        Column("predict_date", "date", "Day of predict_at", unit="UTC"),
        *(
            timetable_source.CONTRACT.column(name)
            for name in ("carrier", "flight", "origin", "destination", "distance_miles")
        ),
        *(
            timetable_source.CONTRACT.column(name)
            for name in ("scheduled_departure_at", "scheduled_arrival_at")
        ),
    ),
    day="predict_date",
)


def flight_key() -> SparkColumn:
    """The flight's key, from its carrier, number, origin and scheduled departure."""
    departure = F.date_format("scheduled_departure_at", "yyyyMMdd'T'HHmm")
    return F.concat("carrier", "flight", F.lit("-"), "origin", F.lit("-"), departure)


def flights(timetable: DataFrame) -> DataFrame:
    """Every flight that was known when its prediction is due, one row each.

    Args:
        timetable: ``silver.timetable``, one row per revision.
    """
    predict_at = F.col("scheduled_departure_at") - F.expr(f"INTERVAL {HORIZON.total_seconds():.0f} SECONDS")
    age = F.unix_micros("predict_at") - F.unix_micros("published_at")
    known = timetable.withColumn("predict_at", predict_at).where((age >= 0) & (age < micros(LOOKBACK)))
    latest = F.max_by(F.struct(*AS_SCHEDULED), F.struct("published_at", "_revision"))
    return (
        known.groupBy(*FLIGHT_KEY, "predict_at")
        .agg(latest.alias("latest"))
        .select("*", "latest.*", flight_key().alias("key"), F.to_date("predict_at").alias("predict_date"))
        .select(*CONTRACT.names)
    )


SPINE = Spine(
    contract=CONTRACT,
    inputs=("timetable",),
    lookback=LOOKBACK,
    build=flights,
    key=flight_key,
    named_in=("timetable", "movements"),
)
