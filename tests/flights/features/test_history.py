"""How late flights of the same kind came over the last weeks; asked at 12:00 UTC on the first of May."""

import math

import pandas as pd
import pytest

from flight_builders import asked, features, moved, scheduled
from lakehouse_ml.flights.features.history import PRIOR_FLIGHTS, history_in_block


def at_noon(*records):
    return features(history_in_block, asked(1, "2013-05-01 14:00"), *records)


def came(number, departure, delay, **other):
    return scheduled(number, departure, **other), moved(number, departure, "arrival", delay, **other)


def test_averages_the_flights_of_the_window_whose_arrival_is_known():
    inside, outside = came(2, "2013-04-24 14:00", 40), came(3, "2013-04-24 11:00", 10)
    found = at_noon(*inside, *outside)
    assert found["city_late_rate_7d"] == 1
    assert found["city_late_rate_28d"] == 0.5


def test_draws_small_groups_towards_the_mean_of_all():
    same_number, other = came(1, "2013-04-20 14:00", 40), came(3, "2013-04-20 14:00", 0, carrier="B6")
    found = at_noon(*same_number, *other)
    assert found["flight_delay_84d_minutes"] == pytest.approx((40 + PRIOR_FLIGHTS * 20) / (1 + PRIOR_FLIGHTS))


def every_day(late, first="2013-01-25"):
    """A flight of number 1 on each of the days before the question, an hour late on those that are named."""
    for day in pd.date_range(first, "2013-04-30").strftime("%Y-%m-%d"):
        yield from came(1, f"{day} 14:00", 60 if day in late else 0)


def test_holds_twelve_whole_weeks_and_no_day_more():
    outside, edge = "2013-02-05", "2013-02-06"
    assert at_noon(*every_day({outside}))["flight_delay_84d_minutes"] == 0
    assert at_noon(*every_day({outside, edge}))["flight_delay_84d_minutes"] == pytest.approx(
        (60 + PRIOR_FLIGHTS * 60 / 84) / (84 + PRIOR_FLIGHTS)
    )


def test_holds_four_whole_weeks_and_no_day_more():
    outside, edge = "2013-04-02", "2013-04-03"
    assert at_noon(*every_day({outside}))["city_late_rate_28d"] == 0
    assert at_noon(*every_day({outside, edge}))["city_late_rate_28d"] == 1 / 28


def test_groups_by_the_hour_on_new_yorks_clocks_across_daylight_saving():
    # 14:00 UTC is 10:00 in New York in May, and 09:00 before the tenth of March.
    winter, summer = came(2, "2013-03-05 15:00", 60), came(3, "2013-04-05 14:00", 60)
    off = came(4, "2013-03-05 14:00", 0), came(5, "2013-03-05 14:30", 0)
    found = at_noon(*winter, *summer, *off[0], *off[1])
    overall = 30.0
    assert found["carrier_route_hour_delay_84d_minutes"] == pytest.approx(
        (120 + PRIOR_FLIGHTS * overall) / (2 + PRIOR_FLIGHTS)
    )


def test_ignores_what_is_published_later_and_flights_that_never_came():
    late = came(2, "2013-05-01 09:30", 29)
    diverted = scheduled(3, "2013-04-30 14:00"), moved(3, "2013-04-30 14:00", "diversion")
    assert math.isnan(at_noon(*late, *diverted)["city_late_rate_7d"])
