"""How late flights came in. The question is asked at 12:00 for a departure at 14:00; flights take two hours."""

import math

from flight_builders import asked, features, moved, scheduled
from lakehouse_ml.flights.features.arrivals import arrivals_in_block

EIGHT = "2013-05-01 08:00"


def at_noon(*records):
    return features(arrivals_in_block, asked(1, "2013-05-01 14:00"), *records)


def came(number, departure_delay, arrival_delay, **other):
    return (
        scheduled(number, EIGHT, **other),
        moved(number, EIGHT, "departure", departure_delay, **other),
        moved(number, EIGHT, "arrival", arrival_delay, **other),
    )


def test_averages_what_flights_gained_and_how_late_they_came():
    found = at_noon(*came(2, 10, 30), *came(3, 20, 10))
    assert found["destination_gain_3h_minutes"] == 5
    assert found["carrier_arrival_lateness_3h_minutes"] == 20
    assert found["carrier_arrival_late_rate_24h"] == 0.5


def test_knows_an_arrival_from_its_publication_on():
    found = at_noon(*came(2, 0, 118), *came(3, 0, 119))
    assert found["carrier_arrival_lateness_3h_minutes"] == 118


def test_needs_the_departure_for_a_gain_but_not_for_the_delay():
    planned, _, arrived = came(2, 10, 30)
    found = at_noon(planned, arrived)
    assert found["carrier_arrival_lateness_3h_minutes"] == 30
    assert math.isnan(found["carrier_gain_12h_minutes"])


def test_believes_the_latest_word_published_by_then():
    corrected = moved(2, EIGHT, "arrival", 50, published="2013-05-01 11:00", revision="r2")
    assert at_noon(*came(2, 10, 30), corrected)["carrier_arrival_lateness_3h_minutes"] == 50
    diverted = moved(2, EIGHT, "diversion", published="2013-05-01 11:00", revision="r2")
    assert math.isnan(at_noon(*came(2, 10, 30), diverted)["carrier_arrival_lateness_3h_minutes"])


def test_tells_destinations_and_regions_apart():
    same_region = came(2, 0, 10, destination="MDW")
    far_off = came(3, 0, 40, destination="LAX", region="30/-120")
    found = at_noon(*same_region, *far_off)
    assert math.isnan(found["destination_gain_3h_minutes"])
    assert found["region_gain_3h_minutes"] == 10
    assert found["carrier_gain_12h_minutes"] == 25
