"""The weather as known. The question is asked at 12:20; an hour's observation comes out an hour later."""

import math

import numpy as np
import pandas as pd
import pytest

from flight_builders import MINUTE, asked, us
from lakehouse_ml.flights.features.weather import weather_in_block, wind_components

QUESTION = asked(1, "2013-05-01 14:20")


def observed(hour: int, pressure: float = 1000.0, visibility: float = 10.0, **other):
    at = us(f"2013-05-01 {hour:02}:00")
    return {
        "origin": "EWR",
        "observed_us": at,
        "published_us": at + 60 * MINUTE,
        "revision": "r1",
        "pressure_mb": pressure,
        "dew_point_f": 40.0,
        "temperature_f": 50.0,
        "visibility_miles": visibility,
        "wind_speed_mph": 10.0,
        "wind_direction_deg": 270.0,
    } | other


def known(*observations):
    records = pd.DataFrame(list(observations), columns=list(observed(1)))
    return weather_in_block(pd.DataFrame([QUESTION]), records).iloc[0]


def test_takes_the_newest_observation_that_is_published():
    found = known(observed(10, 1001.0), observed(11, 1002.0), observed(12, 1003.0))
    assert found["origin_pressure_mb"] == 1002


def test_takes_the_last_revision_published_by_then():
    corrected = observed(11, 1005.0, revision="r2", published_us=us("2013-05-01 12:20"))
    too_late = observed(11, 1009.0, revision="r3", published_us=us("2013-05-01 12:21"))
    assert known(observed(11, 1002.0), corrected, too_late)["origin_pressure_mb"] == 1005
    of_older_hour = observed(9, 990.0, revision="r2", published_us=us("2013-05-01 12:20"))
    assert known(observed(11, 1002.0), of_older_hour)["origin_pressure_mb"] == 1002


def test_breaks_ties_by_revision_whatever_the_order():
    tied = [observed(11, 1002.0, revision="r1"), observed(11, 1005.0, revision="r2")]
    assert known(*tied)["origin_pressure_mb"] == known(*reversed(tied))["origin_pressure_mb"] == 1005


def test_tells_the_trend_and_the_lowest_visibility_of_three_hours():
    found = known(*(observed(hour, 1000.0 + hour, visibility=float(hour)) for hour in range(6, 12)))
    assert found["origin_pressure_change_3h_mb"] == 3
    assert found["origin_visibility_3h_min_miles"] == 9


@pytest.mark.parametrize(("hour", "pressure"), [(9, 1000.0), (8, math.nan)])
def test_takes_no_observation_older_than_three_hours(hour, pressure):
    assert known(observed(hour))["origin_pressure_mb"] == pytest.approx(pressure, nan_ok=True)


def test_averages_the_airports_that_have_reported():
    found = known(
        observed(11, 1000.0), observed(11, 1010.0, origin="JFK"), observed(11, math.nan, origin="LGA")
    )
    assert found["city_pressure_mb"] == 1005
    assert found["origin_pressure_mb"] == 1000


def test_is_missing_when_nothing_was_observed():
    found = known()
    assert found.drop("key").isna().all()


def test_splits_the_wind_and_gives_calm_air_no_direction():
    speed, direction = np.array([10.0, 0.0, 10.0]), np.array([270.0, np.nan, np.nan])
    wind = wind_components(speed, direction)
    assert wind["wind_east_mph"] == pytest.approx([10.0, 0.0, math.nan], nan_ok=True)
    assert wind["wind_north_mph"] == pytest.approx([0.0, 0.0, math.nan], nan_ok=True)
