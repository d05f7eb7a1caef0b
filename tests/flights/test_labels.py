"""The truth, when it became known."""

import pandas as pd
import pytest
from pyspark.sql import functions as F

from flight_builders import moved
from lakehouse_ml.flights.labels import CONTRACT, labels

NOON = "2013-01-01 12:00"


@pytest.fixture(scope="module")
def labels_of(spark):
    """Labels of movements made by ``moved``, in order of revision."""

    def build(*movements):
        rows = pd.DataFrame(list(movements)).rename(columns={"revision": "_revision"})
        names = ["carrier", "flight", "origin", "event", "_revision", "scheduled_us", "published_us"]
        schema = (
            "carrier string, flight int, origin string, event string, _revision string, scheduled_us bigint, "
            "published_us bigint, delay double"
        )
        plain = spark.createDataFrame(rows[[*names, "delay_minutes"]], schema)
        columns = {
            "scheduled_departure_at": F.timestamp_micros("scheduled_us"),
            "published_at": F.timestamp_micros("published_us"),
            "delay_minutes": F.col("delay").cast("int"),
        }
        made = labels(plain.withColumns(columns))
        CONTRACT.check_columns(dict(made.dtypes))
        return made.toPandas().sort_values("_revision", ignore_index=True)

    return build


def test_calls_an_arrival_late_after_more_than_15_minutes(labels_of):
    built = labels_of(
        moved(1, NOON, "arrival", 15, revision="a"), moved(2, NOON, "arrival", 16, revision="b")
    )
    assert built["is_late"].tolist() == [False, True]
    assert built["outcome"].tolist() == ["arrived", "arrived"]
    assert built["key"].tolist() == ["UA1-EWR-20130101T1200", "UA2-EWR-20130101T1200"]


def test_gives_flights_that_never_arrive_an_outcome_and_no_label(labels_of):
    built = labels_of(moved(1, NOON, "cancellation", revision="a"), moved(2, NOON, "diversion", revision="b"))
    assert built["is_late"].isna().all()
    assert built["outcome"].tolist() == ["cancelled", "diverted"]


def test_is_known_when_the_movement_is_published(labels_of):
    built = labels_of(moved(1, NOON, "arrival", 10))
    assert built["label_known_at"].tolist() == [pd.Timestamp("2013-01-01 14:12")]


def test_keeps_every_revision_and_takes_no_departure(labels_of):
    built = labels_of(
        moved(1, NOON, "departure", 5, revision="a"),
        moved(1, NOON, "arrival", 10, revision="b"),
        moved(1, NOON, "arrival", 30, revision="c", published="2013-01-02 00:00"),
    )
    assert built["_revision"].tolist() == ["b", "c"]
    assert built["is_late"].tolist() == [False, True]
