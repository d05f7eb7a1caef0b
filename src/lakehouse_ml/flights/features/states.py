"""What was known of each flight, and when: the spans of time from which the families are summed."""

from datetime import timedelta
from typing import Any

import numpy as np
import pandas as pd
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from lakehouse_ml.lakehouse.event_sums import Integers, shared_codes
from lakehouse_ml.lakehouse.point_in_time import known_until

NEW_YORK = "America/New_York"
MINUTE_US = 60_000_000
HOUR_US = 60 * MINUTE_US
LATE_US = 15 * MINUTE_US

FLIGHT = ["carrier", "flight", "origin", "scheduled_us"]
SPAN = ["flight_id", "known_from", "known_to"]
PLANNED = ["destination", "arrives_us", "region"]
HAPPENED = ["event", "event_us", "delay_minutes", "tail_number"]
# The latest word on whether a flight left is one record, the latest word on whether it came another.
KIND_OF_EVENT = {
    "schedule": "schedule",
    "departure": "gate",
    "cancellation": "gate",
    "arrival": "arrival",
    "diversion": "arrival",
}
EVENTS = ("departure", "cancellation", "arrival", "diversion")


def questions(flights: DataFrame) -> DataFrame:
    """The spine in plain numbers: instants in microseconds UTC."""
    return flights.select(
        "key",
        _micros("predict_at", "predict_us"),
        "carrier",
        "flight",
        "origin",
        "destination",
        _micros("scheduled_departure_at", "scheduled_us"),
        _micros("scheduled_arrival_at", "arrives_us"),
    )


def flight_records(timetable: DataFrame, movements: DataFrame, *events: str) -> DataFrame:
    """Timetable and movements as one frame in plain numbers, one row per revision; instants in microseconds UTC.

    Args:
        timetable: ``silver.timetable``.
        movements: ``silver.movements``.
        *events: The movements wanted.
    """
    happened = movements.where(F.col("event").isin(*events)).select(
        *_identity(),
        "event",
        _micros("event_at", "event_us"),
        F.col("delay_minutes").cast("double").alias("delay_minutes"),
        "tail_number",
    )
    return schedule_records(timetable).unionByName(happened, allowMissingColumns=True)


def schedule_records(timetable: DataFrame) -> DataFrame:
    """The timetable in plain numbers, one row per revision; instants in microseconds UTC."""
    arrives = _micros("scheduled_arrival_at", "arrives_us")
    return timetable.select(*_identity(), F.lit("schedule").alias("event"), "destination", arrives)


def known_states(records: pd.DataFrame, lookback: timedelta) -> dict[str, pd.DataFrame]:
    """What was known of each flight: its ``schedule``, ``gate`` (left or cancelled) and ``arrival`` (or diversion).

    Args:
        records: See :func:`flight_records`.
        lookback: How long after its publication a record may be used.

    Returns:
        One row per revision: ``flight_id``, ``known_from`` and ``known_to`` (microseconds UTC, end exclusive), and the
        fields of that kind of record.
    """
    kinds = records["event"].map(KIND_OF_EVENT)
    flight_id = shared_codes(records[FLIGHT])[0]
    record = flight_id * 3 + pd.factorize(kinds)[0]
    published = records["published_us"].to_numpy().astype(np.int64)
    until = known_until(record, published, records["revision"].to_numpy(), lookback)
    known = records.assign(flight_id=flight_id, known_from=published, known_to=until)
    fields = {"schedule": [*FLIGHT, *PLANNED], "gate": HAPPENED, "arrival": HAPPENED}
    return {
        kind: known.loc[(kinds == kind) & (until > published), [*SPAN, *known.columns.intersection(columns)]]
        for kind, columns in fields.items()
    }


def overlap(left: pd.DataFrame, right: pd.DataFrame) -> pd.DataFrame:
    """The spans in which both states of a flight were known, with the fields of both.

    Fields of the right that the left has too end in ``_right``.
    """
    both = left.merge(right, on="flight_id", suffixes=("", "_right"))
    start = np.maximum(both["known_from"], both["known_from_right"])
    end = np.minimum(both["known_to"], both["known_to_right"])
    both = both.assign(known_from=start, known_to=end).drop(columns=["known_from_right", "known_to_right"])
    return both[start < end]


def of_event(states: pd.DataFrame, event: str) -> pd.DataFrame:
    """The states that this event brought about."""
    return states[states["event"] == event]


def delay_us(states: pd.DataFrame, column: str = "delay_minutes") -> Integers:
    """Delays in microseconds, shape (n_states,); 0 where nothing left or came."""
    delays: Integers = states[column].fillna(0).to_numpy().astype(np.int64) * MINUTE_US
    return delays


def local_time(instants: "pd.Series[Any]") -> pd.DatetimeIndex:
    """New York's clocks at instants in microseconds UTC."""
    return pd.DatetimeIndex(pd.to_datetime(instants.to_numpy(), unit="us", utc=True)).tz_convert(NEW_YORK)


def _identity() -> list[Column]:
    return [
        *(F.col(name) for name in ("carrier", "flight", "origin")),
        _micros("scheduled_departure_at", "scheduled_us"),
        _micros("published_at", "published_us"),
        # Of a hash its beginning breaks ties as well as the whole, and is cheaper to move.
        F.substring("_revision", 1, 16).alias("revision"),
    ]


def _micros(column: str, name: str) -> Column:
    return F.unix_micros(column).alias(name)
