"""Rotation: the earlier flights of the day whose aircraft usually flies this one next, and how late they are."""

from collections.abc import Iterator
from datetime import timedelta

import numpy as np
import pandas as pd
from pyspark.sql import DataFrame

from lakehouse_ml.flights.features.families import family_contract, feature, schema_of
from lakehouse_ml.flights.features.states import (
    EVENTS,
    HOUR_US,
    MINUTE_US,
    delay_us,
    flight_records,
    known_states,
    of_event,
    overlap,
    questions,
)
from lakehouse_ml.flights.features.windows import integers, ratio
from lakehouse_ml.flights.spine import HORIZON
from lakehouse_ml.lakehouse.day_blocks import by_day_blocks
from lakehouse_ml.lakehouse.event_sums import EventSums, Integers, shared_codes
from lakehouse_ml.lakehouse.point_in_time import micros
from lakehouse_ml.use_case import Family

MEMORY = timedelta(days=28)
LOOKBACK = timedelta(days=33)
BLOCK = timedelta(days=28)
# An aircraft is back in New York three hours after it left at the soonest, and rests at night.
SHORTEST_US, LONGEST_US = 3 * HOUR_US, 14 * HOUR_US
NUMBER = ["carrier", "flight", "origin"]
FEEDER = ["feeder_carrier", "feeder_flight", "feeder_origin"]

CONTRACT = family_contract(
    "rotation",
    feature(
        "rotation_share",
        "Share of the flight number's last 28 days flown by the aircraft of an earlier flight of today",
        "0..1",
    ),
    feature(
        "rotation_lateness_minutes",
        "Lateness so far of those earlier flights, weighted by that share",
        "minutes",
    ),
    feature("rotation_feeder_lateness_minutes", "Mean lateness so far of those earlier flights", "minutes"),
)


def rotation(flights: DataFrame, timetable: DataFrame, movements: DataFrame) -> DataFrame:
    """How late the flights are whose aircraft usually flies this one next; one row per flight.

    Which aircraft flies today is not known before it leaves; which flights shared one in the past is. Tail numbers
    are restricted: they link past flights here and go no further.

    Args:
        flights: ``gold.flights``.
        timetable: ``silver.timetable``, revisions published within the lookback.
        movements: ``silver.movements``, revisions published within the lookback.
    """
    records = flight_records(timetable, movements, *EVENTS)
    return by_day_blocks(questions(flights), records, rotation_in_block, schema_of(CONTRACT), LOOKBACK, BLOCK)


def rotation_in_block(flights: pd.DataFrame, records: pd.DataFrame) -> pd.DataFrame:
    """The family for the flights of a block of days, see :func:`questions` and :func:`flight_records`."""
    states = known_states(records, LOOKBACK)
    gone = overlap(states["schedule"], states["gate"])
    flown = of_event(gone, "departure")
    links = links_by_aircraft(flown[flown["tail_number"].notna()])
    asked = flights[["predict_us", *NUMBER]].assign(row=np.arange(len(flights)))
    pairs = asked.merge(links[[*NUMBER, *FEEDER]].drop_duplicates(), on=NUMBER)
    times = _times_within_memory(links, pairs, [*NUMBER, *FEEDER])
    present, late_by = _feeders_of_today(states, gone, pairs)
    share = _sum_by_row(pairs, times * present, len(flights))
    late = _sum_by_row(pairs, times * late_by, len(flights))
    flown_times = _times_within_memory(flown, flights, NUMBER)
    return pd.DataFrame(
        {
            "key": flights["key"],
            "rotation_share": ratio(share, flown_times),
            "rotation_lateness_minutes": ratio(late, flown_times * MINUTE_US),
            "rotation_feeder_lateness_minutes": ratio(late, share * MINUTE_US),
        }
    )


def links_by_aircraft(flown: pd.DataFrame) -> pd.DataFrame:
    """Every flight beside each one that the same aircraft left New York on 3 to 14 hours before.

    Args:
        flown: Known departures with their ``tail_number``.

    Returns:
        The flight's and the feeder's number, the flight's ``scheduled_us``, and the span in which both were known.
    """
    flown = flown.sort_values(["tail_number", "scheduled_us"], ignore_index=True)
    parts = list(_links(flown)) or [_link(flown.iloc[:0], flown.iloc[:0])]
    return pd.concat(parts, ignore_index=True)


def _links(flown: pd.DataFrame) -> Iterator[pd.DataFrame]:
    tail, scheduled = pd.factorize(flown["tail_number"])[0], integers(flown["scheduled_us"])
    for step in range(1, len(flown)):
        gap = scheduled[step:] - scheduled[:-step]
        is_near = (tail[step:] == tail[:-step]) & (gap < LONGEST_US)
        if not is_near.any():
            # Flights further apart in this order lie further apart in time.
            return
        feeder = np.flatnonzero(is_near & (gap >= SHORTEST_US))
        yield _link(flown.iloc[feeder], flown.iloc[feeder + step])


def _link(feeder: pd.DataFrame, flight: pd.DataFrame) -> pd.DataFrame:
    feeder, flight = feeder.reset_index(drop=True), flight.reset_index(drop=True)
    return flight[[*NUMBER, "scheduled_us"]].assign(
        known_from=np.maximum(feeder["known_from"], flight["known_from"]),
        known_to=np.minimum(feeder["known_to"], flight["known_to"]),
        **{name: feeder[name.removeprefix("feeder_")] for name in FEEDER},
    )


def _times_within_memory(spans: pd.DataFrame, asked: pd.DataFrame, columns: list[str]) -> Integers:
    """How often the group's flights were flown in the last 28 days, shape (n_asked,)."""
    own, wanted = shared_codes(spans[columns], asked[columns])
    moment = integers(spans["scheduled_us"])
    start = np.maximum(integers(spans["known_from"]), moment)
    end = np.minimum(integers(spans["known_to"]), moment + micros(MEMORY))
    sums = EventSums(own, start, end, wanted, integers(asked["predict_us"]))
    return sums.total(np.ones(len(spans), np.int64))


def _feeders_of_today(
    states: dict[str, pd.DataFrame], gone: pd.DataFrame, pairs: pd.DataFrame
) -> tuple[Integers, Integers]:
    """How many flights of the feeder's number leave 3 to 14 hours before, and how late they are so far."""
    spans = _lateness_so_far(states, gone)
    own, wanted = shared_codes(spans[NUMBER], pairs[FEEDER].set_axis(NUMBER, axis=1))
    scheduled, waits = integers(spans["scheduled_us"]), integers(spans["waits"])
    start = np.maximum(integers(spans["known_from"]), scheduled + SHORTEST_US - micros(HORIZON))
    end = np.minimum(integers(spans["known_to"]), scheduled + LONGEST_US - micros(HORIZON))
    sums = EventSums(own, start, end, wanted, integers(pairs["predict_us"]))
    return sums.total(integers(spans["flies"])), sums.total(
        integers(spans["late_by"]) - waits * scheduled, waits
    )


def _lateness_so_far(states: dict[str, pd.DataFrame], gone: pd.DataFrame) -> pd.DataFrame:
    """A flight waits until it is gone, is then late by its departure delay, and by its arrival delay once it came."""
    left = of_event(gone, "departure")
    came = overlap(left, of_event(states["arrival"], "arrival"))
    is_cancelled = (gone["event"] == "cancellation").astype(np.int64)
    change = delay_us(came, "delay_minutes_right") - delay_us(came)
    return pd.concat(
        [
            states["schedule"].assign(waits=1, flies=1, late_by=0),
            gone.assign(waits=-1, flies=-is_cancelled, late_by=delay_us(gone)),
            came.assign(waits=0, flies=0, late_by=change),
        ],
        ignore_index=True,
    )


def _sum_by_row(pairs: pd.DataFrame, values: Integers, count: int) -> Integers:
    sums = np.zeros(count, np.int64)
    np.add.at(sums, integers(pairs["row"]), values)
    return sums


FAMILY = Family(contract=CONTRACT, inputs=("timetable", "movements"), lookback=LOOKBACK, build=rotation)
