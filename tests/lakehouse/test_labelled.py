from datetime import UTC, datetime

import pytest

from lakehouse_ml.lakehouse.labelled import labelled_rows

LABELS = "key string, is_late boolean, label_known_at timestamp, _revision string"


def at(hour: int) -> datetime:
    return datetime(2013, 5, 1, hour, tzinfo=UTC)


@pytest.fixture(scope="module")
def features(spark):
    return spark.createDataFrame([("a", 1.0), ("b", 2.0), ("c", 3.0)], "key string, x double")


def known(spark, features, revisions, until):
    labels = spark.createDataFrame(revisions, LABELS)
    rows = labelled_rows(features, labels, "is_late", at(until)).orderBy("key").collect()
    return {row["key"]: (row["x"], row["is_late"]) for row in rows}


def test_takes_the_latest_revision_known_at_the_cut_off(spark, features):
    revisions = [("a", True, at(3), "r1"), ("a", False, at(5), "r2"), ("b", True, at(9), "r3")]
    assert known(spark, features, revisions, 4) == {"a": (1.0, True)}
    assert known(spark, features, revisions, 5) == {"a": (1.0, False)}
    assert known(spark, features, revisions, 9) == {"a": (1.0, False), "b": (2.0, True)}


def test_revisions_of_one_moment_rank_by_their_hash_whatever_their_order(spark, features):
    revisions = [("a", True, at(3), "r9"), ("a", False, at(3), "r1")]
    assert known(spark, features, revisions, 4) == {"a": (1.0, True)}
    assert known(spark, features, revisions[::-1], 4) == {"a": (1.0, True)}


def test_a_key_whose_label_was_taken_back_is_dropped(spark, features):
    revisions = [("a", True, at(3), "r1"), ("a", None, at(5), "r2")]
    assert known(spark, features, revisions, 4) == {"a": (1.0, True)}
    assert known(spark, features, revisions, 6) == {}
