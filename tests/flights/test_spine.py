"""Which flights are asked about, and what is known of them then."""

from datetime import datetime

import pandas as pd
import pytest
from pyspark.sql import functions as F

from flight_builders import scheduled, us
from lakehouse_ml.flights.spine import CONTRACT, flights

SCHEMA = (
    "carrier string, flight int, origin string, scheduled_us bigint, published_us bigint, _revision string, "
    "destination string, arrives_us bigint, distance_miles int"
)


@pytest.fixture(scope="module")
def spine(spark):
    """Spine of revisions made by ``scheduled``, as pandas in order of key."""

    def build(*revisions):
        rows = (
            pd.DataFrame(list(revisions)).assign(distance_miles=700).rename(columns={"revision": "_revision"})
        )
        names = [field.split()[0] for field in SCHEMA.split(", ")]
        plain = spark.createDataFrame(rows[names].astype({"arrives_us": "int64"}), SCHEMA)
        instants = {
            "scheduled_departure_at": F.timestamp_micros("scheduled_us"),
            "published_at": F.timestamp_micros("published_us"),
            "scheduled_arrival_at": F.timestamp_micros("arrives_us"),
        }
        made = flights(plain.withColumns(instants))
        CONTRACT.check_columns(dict(made.dtypes))
        return made.toPandas().sort_values("key", ignore_index=True)

    return build


def test_asks_two_hours_before_departure_under_a_key_that_people_can_read(spine):
    row = spine(scheduled(1545, "2013-01-01 10:15")).iloc[0]
    assert row["key"] == "UA1545-EWR-20130101T1015"
    assert row["predict_at"] == pd.Timestamp("2013-01-01 08:15")
    assert row["predict_date"] == datetime(2013, 1, 1).date()  # noqa: DTZ001 - a day


def test_puts_a_flight_on_the_day_of_its_question(spine):
    row = spine(scheduled(1, "2013-01-02 01:59")).iloc[0]
    assert str(row["predict_date"]) == "2013-01-01"


def test_takes_the_latest_revision_known_by_then(spine):
    first = scheduled(1, "2013-01-01 10:00", published="2012-12-31 17:00")
    second = scheduled(1, "2013-01-01 10:00", published="2013-01-01 08:00", revision="r2", destination="LAX")
    tied = scheduled(1, "2013-01-01 10:00", published="2013-01-01 08:00", revision="r1", destination="SFO")
    too_late = scheduled(
        1, "2013-01-01 10:00", published="2013-01-01 08:01", revision="r3", destination="SEA"
    )
    assert spine(first, second, tied, too_late)["destination"].tolist() == ["LAX"]


def test_leaves_out_a_flight_that_was_not_known_by_then(spine):
    known = scheduled(1, "2013-01-01 10:00")
    extra = scheduled(2, "2013-01-01 10:00", published="2013-01-01 08:01")
    forgotten = scheduled(3, "2013-01-05 10:00", published="2013-01-01 08:00")
    assert spine(known, extra, forgotten)["flight"].tolist() == [1]


def test_keeps_both_flights_of_the_hour_that_exists_twice(spine):
    # On November 3 New York's clocks show half past one at 05:30 and at 06:30 UTC.
    built = spine(scheduled(1, "2013-11-03 05:30"), scheduled(1, "2013-11-03 06:30"))
    assert built["key"].tolist() == ["UA1-EWR-20131103T0530", "UA1-EWR-20131103T0630"]
    assert built["scheduled_departure_at"].tolist() == [
        pd.Timestamp(us(at), unit="us") for at in ("2013-11-03 05:30", "2013-11-03 06:30")
    ]
