"""How late the day runs so far. The question is asked at 12:00 for a departure at 14:00."""

import math

import pytest

from flight_builders import asked, features, moved, scheduled
from lakehouse_ml.flights.features.lateness import lateness_in_block

NOON = asked(1, "2013-05-01 14:00")
ELEVEN = "2013-05-01 11:00"


def at_noon(*records):
    return features(lateness_in_block, NOON, *records)


def test_counts_a_flight_that_has_not_left_as_late_as_it_is_by_now():
    found = at_noon(scheduled(2, "2013-05-01 11:20"))
    assert found["city_lateness_1h_minutes"] == 40
    assert found["city_overdue_1h_minutes"] == 40
    assert found["city_late_rate_2h"] == 1
    assert found["origin_waiting_12h"] == 1


def test_knows_a_departure_from_its_publication_on():
    planned, left = scheduled(2, "2013-05-01 11:00"), moved(2, ELEVEN, "departure", 58)
    assert at_noon(planned, left)["city_lateness_2h_minutes"] == 58
    later = moved(2, ELEVEN, "departure", 59)
    assert at_noon(planned, later)["city_lateness_2h_minutes"] == 60
    assert at_noon(planned, later)["city_left_rate_3h"] == 0


@pytest.mark.parametrize(("delay", "late_rate"), [(15, 0), (16, 1)])
def test_calls_a_flight_late_from_the_sixteenth_minute_on(delay, late_rate):
    records = scheduled(2, ELEVEN), moved(2, ELEVEN, "departure", delay)
    assert at_noon(*records)["city_late_rate_2h"] == late_rate


@pytest.mark.parametrize(("departure", "late_rate"), [("2013-05-01 11:45", 0), ("2013-05-01 11:44", 1)])
def test_calls_a_waiting_flight_late_once_it_is_more_than_15_minutes_overdue(departure, late_rate):
    assert at_noon(scheduled(2, departure))["city_late_rate_2h"] == late_rate


def test_takes_an_early_departure_as_early_once_its_schedule_has_come():
    planned, left = scheduled(2, ELEVEN), moved(2, ELEVEN, "departure", -7)
    assert at_noon(planned, left)["city_lateness_2h_minutes"] == -7
    ahead = scheduled(3, "2013-05-01 12:01"), moved(3, "2013-05-01 12:01", "departure", -7)
    assert at_noon(*ahead)["origin_waiting_12h"] == 0
    assert math.isnan(at_noon(*ahead)["city_lateness_2h_minutes"])


def test_counts_a_flight_at_its_schedule_and_no_longer_at_the_end_of_the_window():
    assert at_noon(scheduled(2, "2013-05-01 12:00"))["city_lateness_1h_minutes"] == 0
    assert math.isnan(at_noon(scheduled(2, ELEVEN))["city_lateness_1h_minutes"])
    assert at_noon(scheduled(2, "2013-05-01 11:01"))["city_lateness_1h_minutes"] == 59


def test_takes_a_cancelled_flight_out_of_the_mean_and_into_the_cancelled_share():
    waiting = scheduled(2, ELEVEN)
    gone = scheduled(3, ELEVEN), moved(3, ELEVEN, "cancellation")
    found = at_noon(waiting, *gone)
    assert found["city_lateness_2h_minutes"] == 60
    assert found["city_cancelled_rate_12h"] == 0.5
    assert found["origin_waiting_12h"] == 1


def test_believes_the_latest_word_published_by_then():
    planned, left = scheduled(2, ELEVEN), moved(2, ELEVEN, "departure", 5)
    corrected = moved(2, ELEVEN, "departure", 25, published="2013-05-01 11:59", revision="r2")
    too_late = moved(2, ELEVEN, "departure", 99, published="2013-05-01 12:01", revision="r3")
    assert at_noon(planned, left, corrected, too_late)["city_lateness_2h_minutes"] == 25
    cancelled = moved(2, ELEVEN, "cancellation", published="2013-05-01 11:59", revision="r2")
    assert at_noon(planned, left, cancelled)["city_cancelled_rate_12h"] == 1


def test_tells_origins_and_carriers_apart():
    here = scheduled(2, ELEVEN), moved(2, ELEVEN, "departure", 10)
    there = scheduled(3, ELEVEN, origin="JFK"), moved(3, ELEVEN, "departure", 50, origin="JFK")
    other = scheduled(4, ELEVEN, carrier="B6"), moved(4, ELEVEN, "departure", 30, carrier="B6")
    found = at_noon(*here, *there, *other)
    assert found["city_lateness_2h_minutes"] == 30
    assert found["origin_lateness_3h_minutes"] == 20
    assert found["carrier_lateness_2h_minutes"] == 30
    assert found["origin_carrier_lateness_2h_minutes"] == 10


def test_lets_recent_flights_weigh_more_in_the_decayed_mean():
    old, new = "2013-05-01 08:30", "2013-05-01 11:35"
    records = (
        scheduled(2, old),
        moved(2, old, "departure", 0),
        scheduled(3, new),
        moved(3, new, "departure", 20),
    )
    assert at_noon(*records)["carrier_decayed_lateness_6h_minutes"] == pytest.approx(
        20 * 0.5 ** (0.25 / 1.5) / (0.5 ** (0.25 / 1.5) + 0.5 ** (3.5 / 1.5))
    )


def test_forgets_records_older_than_the_lookback():
    early = scheduled(2, ELEVEN, published="2013-04-26 11:59")
    assert math.isnan(at_noon(early)["city_lateness_2h_minutes"])
