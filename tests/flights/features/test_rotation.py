"""Whose aircraft usually flies this one next. Flight 9 leaves at 18:00; flight 5 usually brings its aircraft."""

import math

import pandas as pd
import pytest

from flight_builders import asked, features, moved, scheduled
from lakehouse_ml.flights.features.rotation import rotation_in_block

DAYS = ("2013-04-27", "2013-04-28", "2013-04-29", "2013-04-30")
TODAY = "2013-05-01 10:00"
SIX = asked(9, "2013-05-01 18:00")


def flown(number, departure, tail, delay=0):
    return (
        scheduled(number, departure),
        moved(number, departure, "departure", delay, tail_number=tail),
    )


def past(days=DAYS):
    """On every day but the first the aircraft of flight 5 flies flight 9 eight hours later."""
    for day in days:
        yield from flown(5, f"{day} 10:00", f"N{day[-2:]}A")
        yield from flown(9, f"{day} 18:00", f"N{day[-2:]}{'B' if day == DAYS[0] else 'A'}")


def found(*today):
    return features(rotation_in_block, SIX, *past(), *today)


def test_weighs_the_feeders_lateness_by_how_often_it_was_the_feeder():
    feeder = flown(5, TODAY, "N01A", delay=40)
    rotation = found(*feeder)
    assert rotation["rotation_share"] == 0.75
    assert rotation["rotation_lateness_minutes"] == 30
    assert rotation["rotation_feeder_lateness_minutes"] == 40


@pytest.mark.parametrize(("unlinked", "share"), [("2013-04-02", 1), ("2013-04-03", 27 / 28)])
def test_remembers_four_whole_weeks_and_no_day_more(unlinked, share):
    """Flight 5 brings the aircraft on every day but one."""
    past = []
    for day in pd.date_range("2013-03-25", "2013-04-30").strftime("%Y-%m-%d"):
        past += flown(5, f"{day} 10:00", "N1")
        past += flown(9, f"{day} 18:00", "N2" if day == unlinked else "N1")
    rotation = features(rotation_in_block, SIX, *past, scheduled(5, TODAY))
    assert rotation["rotation_share"] == share


def test_counts_a_feeder_that_waits_as_late_as_it_is_by_now():
    assert found(scheduled(5, TODAY))["rotation_feeder_lateness_minutes"] == 6 * 60


def test_prefers_the_feeders_arrival_once_it_is_known():
    feeder = flown(5, TODAY, "N01A", delay=40)
    arrived = moved(5, TODAY, "arrival", 70)
    assert found(*feeder, arrived)["rotation_feeder_lateness_minutes"] == 70
    corrected = moved(5, TODAY, "arrival", 75, revision="r2", published="2013-05-01 15:00")
    assert found(*feeder, arrived, corrected)["rotation_feeder_lateness_minutes"] == 75


def test_leaves_a_cancelled_feeder_out():
    cancelled = scheduled(5, TODAY), moved(5, TODAY, "cancellation")
    assert found(*cancelled)["rotation_share"] == 0
    assert math.isnan(found(*cancelled)["rotation_feeder_lateness_minutes"])


@pytest.mark.parametrize("departure", ["2013-05-01 15:01", "2013-05-01 03:59"])
def test_takes_only_feeders_that_can_be_back_in_time(departure):
    assert found(*flown(5, departure, "N01A", delay=40))["rotation_share"] == 0


def test_never_knows_which_aircraft_flies_today():
    feeder = scheduled(5, TODAY)
    named, unnamed = (
        found(feeder, moved(9, "2013-05-01 18:00", "departure", 0, tail_number=tail))
        for tail in ("N01A", None)
    )
    assert named == unnamed


def test_is_missing_for_a_flight_number_without_a_past():
    rotation = features(rotation_in_block, asked(7, "2013-05-01 18:00"), *past())
    assert math.isnan(rotation["rotation_share"])
