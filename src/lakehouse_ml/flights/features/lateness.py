"""Lateness: how late the flights scheduled in the last hours are so far, gone or not."""

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
    overlap,
    questions,
)
from lakehouse_ml.flights.features.windows import (
    Chosen,
    Floats,
    Measure,
    Summand,
    WindowSums,
    integers,
    mean_of,
    ratio,
    window_columns,
    window_values,
)
from lakehouse_ml.lakehouse.day_blocks import by_day_blocks
from lakehouse_ml.use_case import Family

# A flight stays in the longest window for 12 hours, and its timetable is published up to four days before.
LOOKBACK = timedelta(days=5)
BLOCK = timedelta(days=28)
HALF_LIFE_HOURS = 1.5
DECAY_STEPS_HOURS = (0.5, 1, 1.5, 2, 3, 4, 6)


def decayed_lateness(sums: WindowSums, group: str, hours: float) -> Floats:
    """Mean lateness in minutes, a flight counting half as much for every 90 minutes since its schedule.

    The steps end at predict_at, so that the value does not depend on where a day or a block starts.
    """
    nothing = np.zeros(len(sums.flights), np.int64)
    late, count = nothing.astype(np.float64), nothing.astype(np.float64)
    before, late_before, count_before = 0.0, nothing, nothing
    for step in (step for step in DECAY_STEPS_HOURS if step <= hours):
        weight = 0.5 ** ((before + step) / 2 / HALF_LIFE_HOURS)
        late_now, count_now = sums.total("late_by", group, step), sums.total("flights", group, step)
        late += weight * (late_now - late_before)
        count += weight * (count_now - count_before)
        before, late_before, count_before = step, late_now, count_now
    return ratio(late, count * MINUTE_US)


def waiting(sums: WindowSums, group: str, hours: float) -> Floats:
    """Flights that should have left and have not."""
    return sums.total("waiting", group, hours).astype(np.float64)


SCHEDULED = "the flights scheduled in the last {window}"
MEASURES = {
    "lateness": Measure(
        f"Mean lateness so far of {SCHEDULED}, {{group}}", "minutes", mean_of("late_by", "flights", MINUTE_US)
    ),
    "late_rate": Measure(
        f"Share of {SCHEDULED} that are more than 15 minutes late so far, {{group}}",
        "0..1",
        mean_of("late", "flights"),
    ),
    "overdue": Measure(
        f"Mean minutes that {SCHEDULED} are overdue and not gone, {{group}}",
        "minutes",
        mean_of("overdue", "flights", MINUTE_US),
    ),
    "left_rate": Measure(f"Share of {SCHEDULED} that left, {{group}}", "0..1", mean_of("left", "flights")),
    "cancelled_rate": Measure(
        f"Share of {SCHEDULED} that were cancelled, {{group}}", "0..1", mean_of("cancelled", "scheduled")
    ),
    "waiting": Measure(
        "Flights scheduled in the last {window} that have not left, {group}", "flights", waiting
    ),
    "decayed_lateness": Measure(
        f"Mean lateness so far of {SCHEDULED}, halved per 90 minutes, {{group}}", "minutes", decayed_lateness
    ),
}
CHOSEN: Chosen = {
    "lateness": {"city": (1, 2), "origin": (1, 3), "carrier": (2,), "origin_carrier": (2, 6)},
    "late_rate": {"city": (2,), "origin": (2, 3), "carrier": (2,), "origin_carrier": (6,)},
    "overdue": {"city": (1,)},
    "left_rate": {"city": (3,)},
    "cancelled_rate": {"city": (12,)},
    "waiting": {"origin": (12,)},
    "decayed_lateness": {"carrier": (6,), "origin_carrier": (6,)},
}
CONTRACT = family_contract("lateness", *window_columns(MEASURES, CHOSEN))


def lateness(flights: DataFrame, timetable: DataFrame, movements: DataFrame) -> DataFrame:
    """How late the day runs so far, by airport and carrier; one row per flight.

    Args:
        flights: ``gold.flights``.
        timetable: ``silver.timetable``, revisions published within the lookback.
        movements: ``silver.movements``, revisions published within the lookback.
    """
    records = flight_records(timetable, movements, "departure", "cancellation").drop(
        "tail_number", "event_us"
    )
    return by_day_blocks(questions(flights), records, lateness_in_block, schema_of(CONTRACT), LOOKBACK, BLOCK)


def lateness_in_block(flights: pd.DataFrame, records: pd.DataFrame) -> pd.DataFrame:
    """The family for the flights of a block of days, see :func:`questions` and :func:`flight_records`."""
    states = known_states(records, LOOKBACK)
    spans, summands = lateness_so_far(states["schedule"], overlap(states["schedule"], states["gate"]))
    values = window_values(MEASURES, CHOSEN, WindowSums(spans, summands, flights))
    return pd.DataFrame({"key": flights["key"], **values})


def lateness_so_far(scheduled: pd.DataFrame, gone: pd.DataFrame) -> tuple[pd.DataFrame, dict[str, Summand]]:
    """What every flight adds to the sums: it waits from its schedule on, until it is known to be gone.

    A waiting flight is late by ``t - scheduled``; when it left, that is taken back, and its delay counts instead.

    Args:
        scheduled: Known schedules.
        gone: Known schedules of flights known to have left or to be cancelled.
    """
    spans = pd.concat(
        [
            _piece(scheduled, sign=1),
            _piece(gone, sign=-1),
            _piece(scheduled, sign=1, after=LATE_US),
            _piece(gone, sign=-1, after=LATE_US),
        ],
        ignore_index=True,
    )
    return spans.assign(moment=spans["scheduled_us"]), _summands(spans)


def _piece(states: pd.DataFrame, sign: int, after: int = -1) -> pd.DataFrame:
    """The states from the first microsecond after ``scheduled + after`` on."""
    start = np.maximum(states["known_from"], states["scheduled_us"] + after + 1)
    return states.assign(known_from=start, sign=sign, is_late_piece=after >= 0)


def _summands(spans: pd.DataFrame) -> dict[str, Summand]:
    sign, is_late_piece = integers(spans["sign"]), spans["is_late_piece"].to_numpy()
    waiting = np.where(is_late_piece, 0, sign)
    is_gone = (waiting == -1).astype(np.int64)
    left = is_gone * (spans["event"] == "departure").to_numpy()
    delay = delay_us(spans) * left
    scheduled = integers(spans["scheduled_us"])
    return {
        "scheduled": (waiting + is_gone, None),
        "flights": (waiting + left, None),
        "cancelled": (is_gone - left, None),
        "left": (left, None),
        "waiting": (waiting, None),
        "overdue": (-waiting * scheduled, waiting),
        "late_by": (delay - waiting * scheduled, waiting),
        "late": (np.where(is_late_piece, sign, (delay > LATE_US).astype(np.int64)), None),
    }


FAMILY = Family(contract=CONTRACT, inputs=("timetable", "movements"), lookback=LOOKBACK, build=lateness)
