"""The truth: did the flight arrive more than 15 minutes late, and when was that known."""

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from lakehouse_ml.flights.spine import KEY, flight_key
from lakehouse_ml.lakehouse.contract import Column, Contract
from lakehouse_ml.use_case import Labels

LATE_AFTER_MINUTES = 15
OUTCOMES = {"arrival": "arrived", "cancellation": "cancelled", "diversion": "diverted"}

CONTRACT = Contract(
    table="gold.labels",
    grain="revision of a flight's outcome",
    key=("key", "_revision"),
    columns=(
        KEY,
        Column(
            "is_late", "boolean", f"Arrived more than {LATE_AFTER_MINUTES} minutes late; null: never arrived",
            required=False,
        ),
        Column("outcome", "string", "How the flight ended", rule=f"outcome IN {tuple(OUTCOMES.values())}"),
        Column("label_known_at", "timestamp", "Moment from which the outcome could be known", unit="UTC"),
        Column("_revision", "string", "Revision of the movement; breaks ties of label_known_at"),
    ),
    day="label_known_at",
)  # fmt: skip


def labels(movements: DataFrame) -> DataFrame:
    """Every flight's outcome, one row per revision.

    Args:
        movements: ``silver.movements``, one row per revision; departures are no outcome.
    """
    outcome = F.create_map(*(F.lit(word) for pair in OUTCOMES.items() for word in pair))[F.col("event")]
    is_late = F.when(F.col("event") == "arrival", F.col("delay_minutes") > LATE_AFTER_MINUTES)
    return movements.where(F.col("event").isin(*OUTCOMES)).select(
        flight_key().alias("key"),
        is_late.alias("is_late"),
        outcome.alias("outcome"),
        F.col("published_at").alias("label_known_at"),
        "_revision",
    )


LABELS = Labels(contract=CONTRACT, column="is_late", source="movements", build=labels)
