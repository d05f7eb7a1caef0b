"""Arrivals: how late the flights that came in the last hours were, and what they gained on the way."""

from datetime import timedelta

import numpy as np
import pandas as pd
from pyspark.sql import DataFrame

from lakehouse_ml.flights.features.families import family_contract, schema_of
from lakehouse_ml.flights.features.regions import with_region
from lakehouse_ml.flights.features.states import (
    EVENTS,
    LATE_US,
    MINUTE_US,
    delay_us,
    flight_records,
    known_states,
    of_event,
    overlap,
    questions,
)
from lakehouse_ml.flights.features.windows import (
    Chosen,
    Measure,
    Summand,
    WindowSums,
    mean_of,
    window_columns,
    window_values,
)
from lakehouse_ml.lakehouse.day_blocks import by_day_blocks
from lakehouse_ml.use_case import Family

# A flight may take a day, its arrival stays in the longest window for another, its timetable is a day older.
LOOKBACK = timedelta(days=5)
BLOCK = timedelta(days=28)

CAME = "the flights that came in the last {window}"
MEASURES = {
    "gain": Measure(
        f"Mean arrival delay minus departure delay of {CAME}, {{group}}",
        "minutes",
        mean_of("gain", "both", MINUTE_US),
    ),
    "arrival_lateness": Measure(
        f"Mean arrival delay of {CAME}, {{group}}", "minutes", mean_of("late_by", "came", MINUTE_US)
    ),
    "arrival_late_rate": Measure(
        f"Share of {CAME} more than 15 minutes late, {{group}}", "0..1", mean_of("late", "came")
    ),
}
CHOSEN: Chosen = {
    "gain": {
        "destination": (3, 12),
        "region": (3, 12),
        "route": (12,),
        "carrier": (12,),
        "carrier_destination": (12,),
    },
    "arrival_lateness": {"carrier": (3, 12), "region": (12,)},
    "arrival_late_rate": {"carrier": (24,)},
}
CONTRACT = family_contract("arrivals", *window_columns(MEASURES, CHOSEN))


def arrivals(
    flights: DataFrame, timetable: DataFrame, movements: DataFrame, airports: DataFrame
) -> DataFrame:
    """How late flights came in lately, by carrier, destination and region; one row per flight.

    Args:
        flights: ``gold.flights``.
        timetable: ``silver.timetable``, revisions published within the lookback.
        movements: ``silver.movements``, revisions published within the lookback.
        airports: ``silver.airports``.
    """
    asked = with_region(questions(flights), airports, "predict_us")
    records = flight_records(timetable, movements, *EVENTS).drop("tail_number")
    records = with_region(records, airports, "published_us")
    return by_day_blocks(asked, records, arrivals_in_block, schema_of(CONTRACT), LOOKBACK, BLOCK)


def arrivals_in_block(flights: pd.DataFrame, records: pd.DataFrame) -> pd.DataFrame:
    """The family for the flights of a block of days, see :func:`questions` and :func:`flight_records`."""
    spans, summands = known_arrivals(known_states(records, LOOKBACK))
    values = window_values(MEASURES, CHOSEN, WindowSums(spans, summands, flights))
    return pd.DataFrame({"key": flights["key"], **values})


def known_arrivals(states: dict[str, pd.DataFrame]) -> tuple[pd.DataFrame, dict[str, Summand]]:
    """What every arrival adds to the sums: its delay, and once more its gain while its departure is known too.

    Args:
        states: See :func:`known_states`.
    """
    came = overlap(states["schedule"], of_event(states["arrival"], "arrival"))
    left = of_event(states["gate"], "departure")[["flight_id", "known_from", "known_to", "delay_minutes"]]
    both = overlap(came, left)
    spans = pd.concat([came.assign(is_both=False), both.assign(is_both=True)], ignore_index=True)
    is_both = spans["is_both"].to_numpy().astype(np.int64)
    late_by = delay_us(spans)
    return spans.assign(moment=spans["event_us"]), {
        "came": (1 - is_both, None),
        "late_by": (late_by * (1 - is_both), None),
        "late": ((late_by > LATE_US) * (1 - is_both), None),
        "both": (is_both, None),
        "gain": ((late_by - delay_us(spans, "delay_minutes_right")) * is_both, None),
    }


FAMILY = Family(
    contract=CONTRACT,
    inputs=("timetable", "movements"),
    lookback=LOOKBACK,
    build=arrivals,
    references=("airports",),
)
