from concurrent.futures import ThreadPoolExecutor

import pytest
from pyspark.errors import PySparkRuntimeError
from pyspark.sql import SparkSession

from lakehouse_ml.datasets.session import JavaMissingError, configure_spark, get_spark


def none_yet() -> SparkSession:
    raise PySparkRuntimeError("NO_ACTIVE_OR_DEFAULT_SESSION", {})


@pytest.fixture
def no_session(monkeypatch):
    monkeypatch.setattr("pyspark.sql.SparkSession.active", none_yet)
    monkeypatch.setattr("lakehouse_ml.datasets.session._settings", {})


def test_without_java_a_session_is_refused_with_the_one_sentence(no_session, tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    configure_spark({"spark.master": "local[2]"})
    with pytest.raises(JavaMissingError, match="no `java` is on the PATH: install a JDK 17"):
        get_spark()


def test_the_running_session_is_everybodys(spark):
    # A temporary view is one session's alone; Python may give that session a second object.
    spark.range(3).createOrReplaceTempView("everybodys")
    assert get_spark().table("everybodys").count() == 3


def test_a_node_in_another_thread_takes_the_running_session_as_it_is(spark, monkeypatch):
    shuffled = "spark.sql.shuffle.partitions"
    monkeypatch.setattr("lakehouse_ml.datasets.session._settings", {shuffled: "77"})
    before = spark.conf.get(shuffled)
    with ThreadPoolExecutor(1) as thread:
        assert thread.submit(lambda: get_spark().conf.get(shuffled)).result() == before
