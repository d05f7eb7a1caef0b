"""History: how late flights of the same kind came over the last weeks, as far as known."""

from collections.abc import Callable
from datetime import timedelta

import numpy as np
import pandas as pd
from pyspark.sql import DataFrame

from lakehouse_ml.flights.features.families import family_contract, schema_of
from lakehouse_ml.flights.features.states import (
    LATE_US,
    MINUTE_US,
    delay_us,
    flight_records,
    known_states,
    local_time,
    of_event,
    overlap,
    questions,
)
from lakehouse_ml.flights.features.windows import (
    Chosen,
    Floats,
    Measure,
    WindowSums,
    mean_of,
    window_columns,
    window_values,
)
from lakehouse_ml.lakehouse.day_blocks import by_day_blocks
from lakehouse_ml.use_case import Family

# Twelve weeks hold each weekday equally often and leave room for the timetable, which is older than the flight.
WEEK, MONTH, QUARTER = 7 * 24, 28 * 24, 84 * 24
LOOKBACK = timedelta(days=90)
BLOCK = timedelta(days=60)
# So many flights of the overall mean are added to every group, so that small groups do not speak too loud.
PRIOR_FLIGHTS = 20.0


def shrunk_mean_of(summand: str, per: int = 1) -> Callable[[WindowSums, str, float], Floats]:
    """The measure ``mean per flight``, drawn towards the same window's mean over all flights."""
    mean = mean_of(summand, "flights", per)

    def shrunk_mean(sums: WindowSums, group: str, hours: float) -> Floats:
        overall = mean(sums, "city", hours)
        if group == "city":
            return overall
        total, count = sums.total(summand, group, hours) / per, sums.total("flights", group, hours)
        return (total + PRIOR_FLIGHTS * overall) / (count + PRIOR_FLIGHTS)

    return shrunk_mean


FLOWN = "the flights scheduled in the last {window}"
MEASURES = {
    "late_rate": Measure(
        f"Share of {FLOWN} that came more than 15 minutes late, {{group}}, shrunk",
        "0..1",
        shrunk_mean_of("late"),
    ),
    "delay": Measure(
        f"Mean arrival delay of {FLOWN}, {{group}}, shrunk", "minutes", shrunk_mean_of("late_by", MINUTE_US)
    ),
}
CHOSEN: Chosen = {
    "late_rate": {"city": (WEEK, MONTH), "carrier_hour": (MONTH,), "carrier_route_hour": (MONTH, QUARTER)},
    "delay": {"carrier_route_hour": (MONTH, QUARTER), "flight": (QUARTER,)},
}
CONTRACT = family_contract("history", *window_columns(MEASURES, CHOSEN))


def history(flights: DataFrame, timetable: DataFrame, movements: DataFrame) -> DataFrame:
    """How late flights of the same kind came over the last weeks; one row per flight.

    Args:
        flights: ``gold.flights``.
        timetable: ``silver.timetable``, revisions published within the lookback.
        movements: ``silver.movements``, revisions published within the lookback.
    """
    records = flight_records(timetable, movements, "arrival", "diversion").drop(
        "tail_number", "event_us", "arrives_us"
    )
    return by_day_blocks(questions(flights), records, history_in_block, schema_of(CONTRACT), LOOKBACK, BLOCK)


def history_in_block(flights: pd.DataFrame, records: pd.DataFrame) -> pd.DataFrame:
    """The family for the flights of a block of days, see :func:`questions` and :func:`flight_records`."""
    states = known_states(records, LOOKBACK)
    came = _with_hour(overlap(states["schedule"], of_event(states["arrival"], "arrival")))
    late_by = delay_us(came)
    summands = {
        "flights": (np.ones(len(came), np.int64), None),
        "late_by": (late_by, None),
        "late": ((late_by > LATE_US).astype(np.int64), None),
    }
    sums = WindowSums(came.assign(moment=came["scheduled_us"]), summands, _with_hour(flights))
    return pd.DataFrame({"key": flights["key"], **window_values(MEASURES, CHOSEN, sums)})


def _with_hour(flights: pd.DataFrame) -> pd.DataFrame:
    return flights.assign(hour=local_time(flights["scheduled_us"]).hour)


FAMILY = Family(contract=CONTRACT, inputs=("timetable", "movements"), lookback=LOOKBACK, build=history)
