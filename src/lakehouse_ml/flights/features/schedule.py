"""Schedule: when the flight leaves by New York's clocks, and how busy its airport is then."""

from datetime import timedelta

import numpy as np
import pandas as pd
from pyspark.sql import DataFrame

from lakehouse_ml.flights.features.families import family_contract, feature, schema_of
from lakehouse_ml.flights.features.states import (
    MINUTE_US,
    known_states,
    local_time,
    questions,
    schedule_records,
)
from lakehouse_ml.flights.features.windows import Floats, WindowSums
from lakehouse_ml.flights.spine import HORIZON, LOOKBACK
from lakehouse_ml.lakehouse.day_blocks import by_day_blocks
from lakehouse_ml.lakehouse.event_sums import Integers
from lakehouse_ml.lakehouse.point_in_time import micros
from lakehouse_ml.use_case import Family

BLOCK = timedelta(days=28)
AS_LONG_AS_KNOWN_HOURS = LOOKBACK / timedelta(hours=1)

CONTRACT = family_contract(
    "schedule",
    feature(
        "departure_hour", "Scheduled departure by New York's clocks, with its minutes as a fraction", "hours"
    ),
    feature("departure_weekday", "Weekday of the scheduled departure in New York, Monday is 0", "0..6"),
    feature("block_minutes", "Scheduled time from gate to gate", "minutes"),
    feature("origin_departures_1h", "Flights scheduled at the origin in the hour up to departure", "flights"),
    feature(
        "origin_departures_3h",
        "Flights scheduled at the origin in the three hours up to departure",
        "flights",
    ),
    feature(
        "origin_departures_next_1h", "Flights scheduled at the origin in the hour after departure", "flights"
    ),
    feature("origin_departures_of_day", "Flights scheduled at the origin on the day", "flights"),
    feature("route_departures_of_day", "Flights scheduled on the route on the day", "flights"),
)


def schedule(flights: DataFrame, timetable: DataFrame) -> DataFrame:
    """When the flight leaves and how busy its airport is then; one row per flight.

    Args:
        flights: ``gold.flights``.
        timetable: ``silver.timetable``, revisions published within the lookback.
    """
    records = schedule_records(timetable)
    return by_day_blocks(questions(flights), records, schedule_in_block, schema_of(CONTRACT), LOOKBACK, BLOCK)


def schedule_in_block(flights: pd.DataFrame, records: pd.DataFrame) -> pd.DataFrame:
    """The family for the flights of a block of days, see :func:`questions` and :func:`schedule_records`."""
    planned = known_states(records, LOOKBACK)["schedule"]
    leaves = local_time(flights["scheduled_us"])
    before, after = _until(planned, flights, timedelta()), _until(planned, flights, timedelta(hours=1))
    day = _of_day(planned, flights)
    features = {
        "departure_hour": leaves.hour + leaves.minute / 60,
        "departure_weekday": leaves.weekday.astype(np.float64),
        "block_minutes": (flights["arrives_us"] - flights["scheduled_us"]) / MINUTE_US,
        "origin_departures_1h": _count(before, ("origin",), 1),
        "origin_departures_3h": _count(before, ("origin",), 3),
        "origin_departures_next_1h": _count(after, ("origin",), 1),
        "origin_departures_of_day": _count(day, ("origin", "day"), AS_LONG_AS_KNOWN_HOURS),
        "route_departures_of_day": _count(day, ("origin", "destination", "day"), AS_LONG_AS_KNOWN_HOURS),
    }
    return pd.DataFrame({"key": flights["key"], **features})


def _until(planned: pd.DataFrame, flights: pd.DataFrame, after: timedelta) -> WindowSums:
    """Flights by their schedule, for windows that end the given time after each question's own departure."""
    # Questions are asked the horizon before departure, so every schedule is moved as far.
    moment = planned["scheduled_us"] - micros(HORIZON + after)
    return WindowSums(planned.assign(moment=moment), _ones(planned), flights)


def _of_day(planned: pd.DataFrame, flights: pd.DataFrame) -> WindowSums:
    spans = planned.assign(moment=planned["known_from"], day=_local_day(planned))
    return WindowSums(spans, _ones(planned), flights.assign(day=_local_day(flights)))


def _local_day(flights: pd.DataFrame) -> Integers:
    wall = local_time(flights["scheduled_us"])
    return (wall.year * 1000 + wall.dayofyear).to_numpy()


def _ones(planned: pd.DataFrame) -> dict[str, tuple[Integers, None]]:
    return {"flights": (np.ones(len(planned), np.int64), None)}


def _count(sums: WindowSums, columns: tuple[str, ...], hours: float) -> Floats:
    return sums.total_over("flights", columns, hours).astype(np.float64)


FAMILY = Family(contract=CONTRACT, inputs=("timetable",), lookback=LOOKBACK, build=schedule)
