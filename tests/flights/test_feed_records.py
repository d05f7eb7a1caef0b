"""The clean feed on the real tables, and on the awkward days of the calendar."""

import pandas as pd
import pytest

from lakehouse_ml.flights.feed.errors import FeedError
from lakehouse_ml.flights.feed.package import shipped_table
from lakehouse_ml.flights.feed.records import (
    movements,
    noon_before,
    scheduled_arrival,
    timetable,
)
from lakehouse_ml.flights.sources import SOURCES
from lakehouse_ml.lakehouse.sources import record_fields

pytestmark = pytest.mark.slow

BY_NAME = {contract.name: contract for contract in SOURCES}


def utc(*moments: str) -> pd.Series:
    return pd.Series(pd.to_datetime(list(moments), utc=True).as_unit("ns"))


def arrival(departure: str, clock: int, zone: str) -> str:
    at = scheduled_arrival(utc(departure), pd.Series([clock]), pd.Series([zone]))
    return at[0].strftime("%Y-%m-%dT%H:%MZ")


def flight(**changes: object) -> pd.DataFrame:
    row = {
        "carrier": "UA",
        "flight": 1,
        "origin": "EWR",
        "dest": "ORD",
        "distance": 719,
        "time_hour": "2013-06-03T14:00:00Z",
        "minute": 30,
        "sched_arr_time": 1200,
        "dep_delay": 5,
        "arr_delay": -10,
        "tailnum": "N1UA",
    }
    return pd.DataFrame([row | changes]).astype({"dep_delay": "Int64", "arr_delay": "Int64"})


AIRPORTS = pd.DataFrame({"faa": ["ORD", "AAA"], "tzone": ["America/Chicago", None]})


# --- the real year


@pytest.mark.parametrize("source", BY_NAME)
def test_records_have_the_contracts_fields_in_order_and_a_unique_key(year, source):
    contract = BY_NAME[source]
    assert list(year[source]) == [field.name for field in record_fields(contract)]
    assert not year[source].duplicated([*contract.key]).any()


@pytest.mark.parametrize("source", BY_NAME)
def test_every_field_keeps_its_contract_but_for_one_impossible_wind_speed(year, source, keeps_rule):
    broken = []
    for field in record_fields(BY_NAME[source]):
        values = year[source][field.name]
        assert not (field.required and values.isna().any()), field.name
        present = values.dropna()
        if field.rule:
            broken += [(field.name, value) for value in present[~keeps_rule(field.rule, present)]]
    expected = [("wind_speed_mph", pytest.approx(1048.36058))] if source == "weather" else []
    assert broken == expected


def test_every_rule_over_several_fields_holds(year):
    plan, moves, weather = year["timetable"], year["movements"], year["weather"]
    block = (plan["scheduled_arrival_at"] - plan["scheduled_departure_at"]) / pd.Timedelta(minutes=1)
    ahead = pd.concat([r["scheduled_departure_at"] - r["published_at"] for r in (plan, moves)])
    happened = moves["event"].isin(["departure", "arrival"])
    holds = {
        "block_time_plausible": block.between(10, 1200),
        "published_before_departure": plan["published_at"]
        < plan["scheduled_departure_at"] + pd.Timedelta(days=1),
        "published_less_than_98_hours_ahead": plan["scheduled_departure_at"] - plan["published_at"]
        < pd.Timedelta(hours=98),
        "departure_near_publication": ahead.abs() <= pd.Timedelta(days=400),
        "delay_of_departures_and_arrivals": happened == moves["delay_minutes"].notna(),
        "published_after_event": moves["published_at"] >= moves["event_at"],
        "published_after_observation": weather["published_at"] >= weather["observed_at"],
    }
    assert set(holds) == {rule.name for contract in SOURCES for rule in contract.rules}
    assert {name: bool(kept.all()) for name, kept in holds.items()} == dict.fromkeys(holds, True)


@pytest.fixture(scope="module")
def shipped() -> pd.DataFrame:
    return shipped_table("flights")


def test_departures_show_the_printed_clock_time_in_new_york(year, shipped):
    local = year["timetable"]["scheduled_departure_at"].dt.tz_convert("America/New_York")
    assert (local.dt.hour * 100 + local.dt.minute == shipped["sched_dep_time"]).all()
    assert (local.dt.day == shipped["day"]).all()
    assert (local.dt.month == shipped["month"]).all()


def test_scheduled_block_times_follow_the_distance_for_every_flight(year):
    plan = year["timetable"]
    block = (plan["scheduled_arrival_at"] - plan["scheduled_departure_at"]) / pd.Timedelta(minutes=1)
    surplus = block - (plan["distance_miles"] / 8 + 40)
    assert surplus.between(-40, 120).all()


def test_time_on_the_ground_is_plausible_for_every_flight_that_arrived(year, shipped):
    # Departure and arrival come from different clocks and zones; the minutes in the air check both.
    plan = year["timetable"]
    block = (plan["scheduled_arrival_at"] - plan["scheduled_departure_at"]) // pd.Timedelta(minutes=1)
    ground = block + shipped["arr_delay"] - shipped["dep_delay"] - shipped["air_time"]
    assert ground.dropna().between(1, 300).all()
    assert len(ground.dropna()) == 327_346


def test_every_flight_is_published_at_noon_of_the_day_before(year):
    plan = year["timetable"]
    published = plan["published_at"].dt.tz_convert("America/New_York")
    departs = plan["scheduled_departure_at"].dt.tz_convert("America/New_York")
    assert ((published.dt.hour == 12) & (published.dt.minute == 0)).all()
    between = departs.dt.tz_localize(None).dt.normalize() - published.dt.tz_localize(None).dt.normalize()
    assert (between == pd.Timedelta(days=1)).all()


def test_movements_count_what_the_year_is_known_for(year):
    counts = year["movements"]["event"].value_counts().to_dict()
    assert counts == {"departure": 328_521, "arrival": 327_346, "cancellation": 8_255, "diversion": 1_175}


def test_only_departures_tell_the_aircraft(year):
    moves = year["movements"]
    told = moves["tail_number"].notna()
    assert set(moves.loc[told, "event"]) == {"departure"}


def test_three_local_weather_hours_exist_twice_but_no_hour_of_utc(year):
    weather = year["weather"]
    local = weather["observed_at"].dt.tz_convert("America/New_York").dt.tz_localize(None)
    assert weather.assign(local=local).duplicated(["origin", "local"]).sum() == 3
    assert not weather.duplicated(["origin", "observed_at"]).any()


# --- awkward days


def test_an_arrival_after_midnight_is_on_the_next_day():
    assert arrival("2013-06-04T02:30:00Z", 15, "America/New_York") == "2013-06-04T04:15Z"


def test_an_arrival_at_the_very_clock_time_of_departure_is_a_day_later():
    assert arrival("2013-06-04T02:30:00Z", 2230, "America/New_York") == "2013-06-05T02:30Z"


def test_an_arrival_before_the_departures_new_york_clock_can_be_the_same_day_further_west():
    assert arrival("2013-06-03T12:00:00Z", 755, "America/Chicago") == "2013-06-03T12:55Z"


def test_a_flight_through_the_night_in_which_clocks_spring_forward_is_an_hour_shorter():
    assert arrival("2013-03-10T04:59:00Z", 523, "America/New_York") == "2013-03-10T09:23Z"
    assert arrival("2013-03-09T04:59:00Z", 523, "America/New_York") == "2013-03-09T10:23Z"


def test_a_flight_through_the_night_in_which_clocks_fall_back_is_an_hour_longer():
    assert arrival("2013-11-03T03:59:00Z", 523, "America/New_York") == "2013-11-03T10:23Z"


def test_zones_without_daylight_saving_keep_their_offset():
    assert arrival("2013-06-03T14:00:00Z", 1455, "Pacific/Honolulu") == "2013-06-04T00:55Z"
    assert arrival("2013-12-03T04:59:00Z", 435, "America/Puerto_Rico") == "2013-12-03T08:35Z"
    assert arrival("2013-07-03T03:59:00Z", 340, "America/Puerto_Rico") == "2013-07-03T07:40Z"


def test_a_clock_time_that_the_zone_skips_is_refused():
    with pytest.raises(Exception, match="2013-03-10 02:30"):
        arrival("2013-03-10T04:00:00Z", 230, "America/New_York")


def test_noon_follows_the_clock_change():
    at = noon_before(utc("2013-03-10T12:00:00Z", "2013-03-11T12:00:00Z", "2013-11-03T12:00:00Z"))
    assert list(at) == list(utc("2013-03-09T17:00:00Z", "2013-03-10T16:00:00Z", "2013-11-02T16:00:00Z"))


def test_a_destination_without_a_time_zone_is_refused_with_the_way_out():
    with pytest.raises(FeedError, match=r"rows \[0\].*UNLISTED_ZONES"):
        timetable(flight(dest="AAA"), AIRPORTS)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        (
            {},
            [
                ("departure", "14:35", 5, "N1UA", "14:37"),
                ("arrival", "16:50", -10, None, "16:52"),
            ],
        ),
        ({"dep_delay": None, "arr_delay": None}, [("cancellation", "14:30", None, None, "14:32")]),
        (
            {"arr_delay": None},
            [("departure", "14:35", 5, "N1UA", "14:37"), ("diversion", "17:00", None, None, "17:02")],
        ),
    ],
)
def test_each_flight_has_the_movements_that_happened(changes, expected):
    flights = flight(**changes)
    moves = movements(flights, timetable(flights, AIRPORTS))
    seen = [
        (
            row["event"],
            f"{row['event_at']:%H:%M}",
            None if pd.isna(row["delay_minutes"]) else row["delay_minutes"],
            None if pd.isna(row["tail_number"]) else row["tail_number"],
            f"{row['published_at']:%H:%M}",
        )
        for row in moves.to_dict("records")
    ]
    assert seen == expected


# --- the package


def test_a_missing_package_is_named_with_the_way_out():
    with pytest.raises(FeedError, match=r"no-such-flights.*not installed.*extra 'local'"):
        shipped_table("flights", package="no-such-flights")


def test_a_package_without_the_table_is_named():
    with pytest.raises(FeedError, match=r"rich ships no flights\.csv\.zip"):
        shipped_table("flights", package="rich")
