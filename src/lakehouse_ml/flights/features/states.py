"""What was known of each flight, and when: the spans from which the families of the day are summed."""

from datetime import timedelta

import numpy as np
import pandas as pd
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from lakehouse_ml.lakehouse.event_sums import Integers, shared_codes
from lakehouse_ml.lakehouse.point_in_time import known_until

FLIGHT = ["carrier", "flight", "origin", "scheduled_us"]
# The latest word on whether a flight left, and on whether it came, each counts as one record.
RECORD_OF_EVENT = {"schedule": 0, "departure": 1, "cancellation": 1, "arrival": 2, "diversion": 2}
MINUTE_US = 60_000_000
HOUR_US = 60 * MINUTE_US


def questions(flights: DataFrame) -> DataFrame:
    """The spine in plain numbers: instants in microseconds UTC."""
    return flights.select(
        "key",
        F.unix_micros("predict_at").alias("predict_us"),
        "carrier",
        "flight",
        "origin",
        "destination",
        F.unix_micros("scheduled_departure_at").alias("scheduled_us"),
        F.unix_micros("scheduled_arrival_at").alias("arrives_us"),
    )


def flight_records(timetable: DataFrame, movements: DataFrame, *events: str) -> DataFrame:
    """Timetable and movements as one frame in plain numbers, one row per revision; instants in microseconds UTC.

    Args:
        timetable: ``silver.timetable``.
        movements: ``silver.movements``.
        *events: The movements wanted.
    """
    flight = ["carrier", "flight", "origin", F.unix_micros("scheduled_departure_at").alias("scheduled_us")]
    published = [F.unix_micros("published_at").alias("published_us"), F.col("_revision").alias("revision")]
    schedule = timetable.select(
        *flight,
        *published,
        F.lit("schedule").alias("event"),
        "destination",
        F.unix_micros("scheduled_arrival_at").alias("arrives_us"),
    )
    happened = movements.where(F.col("event").isin(*events)).select(
        *flight,
        *published,
        "event",
        F.unix_micros("event_at").alias("event_us"),
        F.col("delay_minutes").cast("double").alias("delay_minutes"),
        "tail_number",
    )
    return schedule.unionByName(happened, allowMissingColumns=True)


def known_states(records: pd.DataFrame, lookback: timedelta) -> dict[str, pd.DataFrame]:
    """What was known of each flight by kind of record: ``schedule``, ``gate`` (left or cancelled), ``arrival``.

    Args:
        records: See :func:`flight_records`.
        lookback: How long after its publication a record may be used.

    Returns:
        One row per revision: ``known_from``, ``known_to`` (microseconds, end exclusive), ``flight_id`` and the record's
        fields. Gate and arrival have ``delay_us``, missing for cancellations and diversions.
    """
    kind = records["event"].map(RECORD_OF_EVENT).to_numpy(np.int64)
    flight_id = shared_codes(records[FLIGHT])[0]
    published = records["published_us"].to_numpy(np.int64)
    until = known_until(flight_id * 3 + kind, published, records["revision"].to_numpy(), lookback)
    known = records.assign(flight_id=flight_id, known_from=published, known_to=until)
    known = known[until > published]
    kind = kind[until > published]
    return {
        "schedule": known.loc[kind == 0, ["flight_id", "known_from", "known_to", *FLIGHT, "destination", "arrives_us"]],
        "gate": known.loc[kind == 1, ["flight_id", "known_from", "known_to", *HAPPENED]],
        "arrival": known.loc[kind == 2, ["flight_id", "known_from", "known_to", *HAPPENED]],
    }


HAPPENED = ["event", "event_us", "delay_minutes", "tail_number"]


def overlap(left: pd.DataFrame, right: pd.DataFrame, suffix: str = "") -> pd.DataFrame:
    """The spans in which both states of a flight were known, with the fields of both.

    Args:
        left: States of a kind.
        right: States of another kind; fields that both have get the suffix.
        suffix: Told apart by.
    """
    both = left.merge(right, on="flight_id", suffixes=("", suffix or "_right"))
    start = np.maximum(both["known_from"], both["known_from" + (suffix or "_right")])
    end = np.minimum(both["known_to"], both["known_to" + (suffix or "_right")])
    both = both.assign(known_from=start, known_to=end)
    return both[start < end]


def delay_us(states: pd.DataFrame, column: str = "delay_minutes") -> Integers:
    """Delays in microseconds; 0 where there is none."""
    return states[column].fillna(0).to_numpy().astype(np.int64) * MINUTE_US
