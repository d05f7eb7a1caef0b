"""What the sources' contracts reject of lines that are well-formed, and by which rule."""

import json

import pytest

from lakehouse_ml.flights.sources import SOURCES
from lakehouse_ml.flights.spine import flights
from lakehouse_ml.lakehouse.quality import accepted, checked_lines
from line_builders import landed

BY_NAME = {contract.name: contract for contract in SOURCES}
FLIGHT = {"carrier": "UA", "flight": 1, "origin": "EWR", "scheduled_departure_at": "2013-05-02T12:00:00Z"}
SOUND = {
    "timetable": FLIGHT
    | {
        "destination": "ORD",
        "distance_miles": 719,
        "scheduled_arrival_at": "2013-05-02T14:30:00Z",
        "published_at": "2013-05-01T16:00:00Z",
    },
    "movements": FLIGHT
    | {
        "event": "departure",
        "event_at": "2013-05-02T12:10:00Z",
        "delay_minutes": 10,
        "tail_number": "N1UA",
        "published_at": "2013-05-02T12:12:00Z",
    },
    "weather": {
        "origin": "EWR",
        "observed_at": "2013-05-02T12:00:00Z",
        "precipitation_in": 0.0,
        "visibility_miles": 10.0,
        "published_at": "2013-05-02T13:00:00Z",
    },
    "planes": {
        "tail_number": "N1UA",
        "type": "Fixed wing",
        "manufacturer": "BOEING",
        "model": "737-800",
        "engines": 2,
        "seats": 160,
        "engine": "Turbo-fan",
        "published_at": "2012-12-30T00:00:00Z",
    },
    "airports": {
        "airport": "ORD",
        "name": "Chicago",
        "latitude": 42.0,
        "longitude": -87.9,
        "altitude_ft": 668,
        "utc_offset_hours": -6.0,
        "daylight_saving": "A",
        "published_at": "2012-12-30T00:00:00Z",
    },
    "airlines": {"carrier": "UA", "name": "United", "published_at": "2012-12-30T00:00:00Z"},
}


@pytest.fixture
def broken(spark):
    """Names of the rules that each line breaks: records of a source, which differ from a sound one."""

    def rules(source: str, *changes: dict[str, str]) -> list[set[str]]:
        lines = [json.dumps(SOUND[source] | change) for change in changes]
        checked = checked_lines(landed(spark, lines), BY_NAME[source]).orderBy("_line_no")
        return [set(row["broken_rules"]) for row in checked.select("broken_rules").collect()]

    return rules


@pytest.mark.parametrize("source", BY_NAME)
def test_a_first_or_last_day_of_some_system_is_no_time_of_publication(source, broken):
    ends = ("0001-01-01T00:00:00Z", "1999-12-31T23:59:59Z", "2100-01-01T00:00:01Z", "9999-12-31T23:59:59Z")
    sound, *odd = broken(source, {}, *({"published_at": end} for end in ends))
    assert sound == set()
    assert all("published_at_domain" in names for names in odd)


@pytest.mark.parametrize("source", ["timetable", "movements"])
def test_a_departure_further_from_its_publication_than_any_timetable_reaches_is_rejected(source, broken):
    days = ("0001-01-01", "2199-01-01", "9999-12-31")
    found = broken(source, *({"scheduled_departure_at": f"{day}T12:00:00Z"} for day in days))
    assert all("departure_near_publication" in names for names in found)


def test_a_timetable_may_come_out_a_year_ahead(broken):
    times = {"scheduled_departure_at": "2014-05-02T12:00:00Z", "scheduled_arrival_at": "2014-05-02T14:30:00Z"}
    assert broken("timetable", times) == [set()]


def test_a_flight_published_too_early_to_be_asked_about_is_taken_and_warned_of(spark):
    times = ("2013-04-28T10:00:00Z", "2013-04-28T10:00:01Z")
    lines = [json.dumps(SOUND["timetable"] | {"published_at": time}) for time in (*times, "unknown")]
    checked = checked_lines(landed(spark, lines), BY_NAME["timetable"]).orderBy("_line_no")
    early, in_time, unknown = checked.collect()
    assert (early["broken_rules"], early["warnings"]) == ([], ["published_less_than_98_hours_ahead"])
    assert (in_time["broken_rules"], in_time["warnings"]) == ([], [])
    assert (unknown["broken_rules"] != [], unknown["warnings"]) == (True, [])
    records = accepted(checked, BY_NAME["timetable"])
    assert [row["_line_no"] for row in records.orderBy("_line_no").collect()] == [1, 2]
    assert flights(records.where("_line_no = 1")).isEmpty()
    assert flights(records.where("_line_no = 2")).count() == 1


@pytest.mark.parametrize("source", ["timetable", "movements"])
def test_a_departure_within_a_minute_is_rejected_since_the_key_tells_no_seconds(source, broken):
    times = ("2013-05-02T12:00:30Z", "2013-05-02T12:00:00.000001Z", "2013-05-02T07:59:00-04:00")
    found = broken(source, *({"scheduled_departure_at": time} for time in times))
    assert found == [{"scheduled_departure_at_domain"}, {"scheduled_departure_at_domain"}, set()]


def test_an_observation_within_an_hour_is_rejected_since_no_feature_would_find_it(broken):
    times = ("2013-05-02T11:51:00Z", "2013-05-02T12:00:00.5Z", "2013-05-02T08:00:00-04:00")
    found = broken("weather", *({"observed_at": time} for time in times))
    assert found == [{"observed_at_domain"}, {"observed_at_domain"}, set()]
