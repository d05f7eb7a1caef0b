"""When the flight leaves and how busy its airport is; the flight leaves at 14:00 UTC, 10:00 in New York."""

import pytest

from flight_builders import asked, features, scheduled
from lakehouse_ml.flights.features.schedule import schedule_in_block

OWN = scheduled(1, "2013-05-01 14:00")


def found(*records):
    return features(schedule_in_block, asked(1, "2013-05-01 14:00"), OWN, *records)


def test_counts_the_flights_of_the_hours_around_departure():
    others = [
        scheduled(2, "2013-05-01 13:01"),
        scheduled(3, "2013-05-01 13:00"),
        scheduled(4, "2013-05-01 11:01"),
        scheduled(5, "2013-05-01 11:00"),
        scheduled(6, "2013-05-01 14:01"),
        scheduled(7, "2013-05-01 15:00"),
        scheduled(8, "2013-05-01 15:01"),
        scheduled(9, "2013-05-01 13:30", origin="JFK"),
    ]
    busy = found(*others)
    assert busy["origin_departures_1h"] == 2
    assert busy["origin_departures_3h"] == 4
    assert busy["origin_departures_next_1h"] == 2


def test_counts_the_flights_of_the_day_on_new_yorks_calendar():
    others = [
        scheduled(2, "2013-05-02 03:59"),
        scheduled(3, "2013-05-02 04:00"),
        scheduled(4, "2013-05-01 04:00", destination="LAX"),
        scheduled(5, "2013-05-01 03:59"),
    ]
    assert found(*others)["origin_departures_of_day"] == 3
    assert found(*others)["route_departures_of_day"] == 2


def test_counts_what_is_published_by_then_once():
    later = scheduled(2, "2013-05-01 13:30", published="2013-05-01 12:01")
    again = scheduled(1, "2013-05-01 14:00", published="2013-05-01 09:00", revision="r2", destination="LAX")
    assert found(later, again)["origin_departures_1h"] == 1


@pytest.mark.parametrize(
    ("departure", "hour", "weekday"),
    [
        ("2013-03-10 06:30", 1.5, 6),
        ("2013-03-10 07:00", 3.0, 6),
        ("2013-11-03 05:30", 1.5, 6),
        ("2013-11-03 06:30", 1.5, 6),
        ("2013-05-02 03:00", 23.0, 2),
    ],
)
def test_reads_new_yorks_clocks_across_daylight_saving_and_midnight(departure, hour, weekday):
    question = asked(1, departure)
    clock = features(schedule_in_block, question, scheduled(1, departure))
    assert (clock["departure_hour"], clock["departure_weekday"]) == (hour, weekday)
    assert clock["block_minutes"] == 120
