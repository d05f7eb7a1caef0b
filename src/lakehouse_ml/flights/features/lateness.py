"""Lateness: how late the flights scheduled in the last hours are so far, left or not."""

from datetime import timedelta

import numpy as np
import pandas as pd
from pyspark.sql import DataFrame

from lakehouse_ml.flights.features.states import (
    HOUR_US,
    MINUTE_US,
    delay_us,
    flight_records,
    known_states,
    overlap,
    questions,
)
from lakehouse_ml.flights.features.windows import Floats, Measure, WindowSums, ratio
from lakehouse_ml.flights.spine import KEY
from lakehouse_ml.lakehouse.contract import Column, Contract
from lakehouse_ml.lakehouse.day_blocks import by_day_blocks
from lakehouse_ml.lakehouse.event_sums import Integers
from lakehouse_ml.use_case import Family

LOOKBACK = timedelta(days=5)
BLOCK = timedelta(days=28)
LATE_US = 15 * MINUTE_US
HALF_LIFE_HOURS = 1.5
DECAY_BINS_HOURS = (0.5, 1, 1.5, 2, 3, 4, 6)

MEASURES = {
    "lateness": ("Mean lateness so far of the flights scheduled in the last {0:g} h", "minutes"),
    "late_rate": ("Share of the flights scheduled in the last {0:g} h that are more than 15 minutes late so far", "0..1"),
    "overdue": ("Mean minutes that flights scheduled in the last {0:g} h are overdue and not gone", "minutes"),
    "waiting": ("Flights scheduled in the last {0:g} h that have not left", "flights"),
    "left_rate": ("Share of the flights scheduled in the last {0:g} h that left", "0..1"),
    "cancelled_rate": ("Share of the flights scheduled in the last {0:g} h that were cancelled", "0..1"),
    "decayed_lateness": ("Mean lateness so far of the flights scheduled in the last {0:g} h, half as much per 90 minutes", "minutes"),
}
GROUPS_WORDS = {
    "city": "all three airports", "origin": "the origin", "carrier": "the carrier", "origin_carrier": "the carrier at the origin",
    "destination": "the destination", "region": "the destination's region", "route": "the route", "carrier_destination": "the carrier to the destination",
}
# (group, measure, hours)
CHOSEN = tuple(
    (group, measure, hours)
    for group in ("city", "origin", "carrier", "origin_carrier", "destination")
    for measure, windows in {
        "lateness": (1, 2, 3, 6), "late_rate": (1, 2, 3, 6), "overdue": (1, 2, 3), "waiting": (12,), "left_rate": (1, 3),
        "cancelled_rate": (3, 12), "decayed_lateness": (6,),
    }.items()
    for hours in windows
)


def feature_name(group: str, measure: str, hours: float) -> str:
    unit = "_minutes" if MEASURES[measure][1] == "minutes" else ""
    return f"{group}_{measure}_{hours:g}h{unit}"


CONTRACT = Contract(
    table="gold.lateness",
    grain="flight",
    key=("key",),
    columns=(
        KEY,
        *(
            Column(feature_name(g, m, h), "double", f"{MEASURES[m][0].format(h)}, {GROUPS_WORDS[g]}", required=False, unit=MEASURES[m][1])
            for g, m, h in CHOSEN
        ),
    ),
)
SCHEMA = ", ".join(f"{c.name} {c.type}" for c in CONTRACT.columns)


def lateness(flights: DataFrame, timetable: DataFrame, movements: DataFrame) -> DataFrame:
    """How late the day runs so far, by airport, carrier and destination; one row per flight."""
    records = flight_records(timetable, movements, "departure", "cancellation")
    return by_day_blocks(questions(flights), records, lateness_in_block, SCHEMA, LOOKBACK, BLOCK)


def lateness_in_block(flights: pd.DataFrame, records: pd.DataFrame) -> pd.DataFrame:
    states = known_states(records, LOOKBACK)
    spans, measures = contributions(states["schedule"], overlap(states["schedule"], states["gate"]))
    sums = WindowSums(spans, measures, flights)
    return pd.DataFrame({"key": flights["key"], **{feature_name(*chosen): FORMULAS[chosen[1]](sums, chosen[0], chosen[2]) for chosen in CHOSEN}})


def contributions(scheduled: pd.DataFrame, gone: pd.DataFrame) -> tuple[pd.DataFrame, dict[str, Measure]]:
    """Every scheduled flight counts as waiting; one that is known to be gone takes that back and counts as it went.

    What a waiting flight is late at t is ``t - scheduled``.
    """
    late, gone_late = (_from(frame, LATE_US + 1) for frame in (scheduled, gone))
    pieces = [scheduled, late, gone, gone_late]
    spans = pd.concat([piece.assign(piece=number) for number, piece in enumerate(pieces)], ignore_index=True)
    piece = spans.pop("piece").to_numpy()
    spans["moment"] = spans["scheduled_us"]
    return spans, _measures(spans, piece)


def _from(states: pd.DataFrame, after: int) -> pd.DataFrame:
    return states.assign(known_from=np.maximum(states["known_from"], states["scheduled_us"] + after))


def _measures(spans: pd.DataFrame, piece: Integers) -> dict[str, Measure]:
    one = np.select([piece == 0, piece == 2], [1, -1], 0)
    scheduled = spans["scheduled_us"].to_numpy().astype(np.int64)
    gone = (piece == 2).astype(np.int64)
    left = gone * (spans["event"] == "departure").to_numpy()
    delay = delay_us(spans) * left
    return {
        "scheduled": ((piece == 0).astype(np.int64), None),
        "flights": ((piece == 0).astype(np.int64) - gone + left, None),
        "left": (left, None),
        "waiting": (one, None),
        "overdue": (-one * scheduled, one),
        "lateness": (delay - one * scheduled, one),
        "late": (np.select([piece == 1, piece == 3], [1, -1], left * (delay > LATE_US)).astype(np.int64), None),
    }


def _mean_minutes(measure: str):
    def formula(sums: WindowSums, group: str, hours: float) -> Floats:
        return ratio(sums.total(measure, group, hours), sums.total("flights", group, hours) * MINUTE_US)
    return formula


def _rate(measure: str):
    def formula(sums: WindowSums, group: str, hours: float) -> Floats:
        return ratio(sums.total(measure, group, hours), sums.total("flights", group, hours))
    return formula


def _waiting(sums: WindowSums, group: str, hours: float) -> Floats:
    return sums.total("waiting", group, hours).astype(np.float64)


def _cancelled(sums: WindowSums, group: str, hours: float) -> Floats:
    scheduled = sums.total("scheduled", group, hours)
    return ratio(scheduled - sums.total("flights", group, hours), scheduled)


def _decayed(sums: WindowSums, group: str, hours: float) -> Floats:
    late, count, before = 0.0, 0.0, 0.0
    late_before, count_before = 0, 0
    for end in DECAY_BINS_HOURS:
        weight = 0.5 ** ((before + end) / 2 / HALF_LIFE_HOURS)
        late_now, count_now = sums.total("lateness", group, end), sums.total("flights", group, end)
        late = late + weight * (late_now - late_before)
        count = count + weight * (count_now - count_before)
        before, late_before, count_before = end, late_now, count_now
    return ratio(late, count * MINUTE_US)


FORMULAS = {
    "lateness": _mean_minutes("lateness"), "overdue": _mean_minutes("overdue"), "late_rate": _rate("late"),
    "left_rate": _rate("left"), "waiting": _waiting, "cancelled_rate": _cancelled, "decayed_lateness": _decayed,
}
FAMILY = Family(contract=CONTRACT, inputs=("timetable", "movements"), lookback=LOOKBACK, build=lateness)
