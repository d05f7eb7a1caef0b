"""Silver to gold: the affected days and no others, and nothing twice."""

import json
from datetime import date, datetime, timedelta

import pandas as pd
import pytest

from equality import fingerprints
from gold_builders import PROGRESS, READ, moment, run_at
from lakehouse_ml.flights import USE_CASE
from lakehouse_ml.flights.feed import Mess, Rates
from lakehouse_ml.lakehouse.affected_days import days_between
from lakehouse_ml.pipelines import feature_engineering, ingestion
from lakehouse_ml.pipelines.feature_engineering.affected import find_affected_days, reach_of_sources
from lakehouse_ml.pipelines.feature_engineering.gold import (
    build_family,
    build_spine,
    insert_labels,
    join_families,
)
from lakehouse_ml.pipelines.feature_engineering.progress import mark_progress
from project_builders import Project, records_of_the_year

GOLD = ("gold.flights", "gold.features", "gold.labels")
NOW = pd.Timestamp("2013-01-04", tz="UTC")
# All that a feed may do without a record being lost or corrected.
RATES = {"unknown_field": 0.02, "resend": 0.02, "late_resend": 0.02, "late_file": 0.3, "odd_file_days": 2}
LOSSES = ("broken_line", "wrong_type", "impossible_value", "correction")
HARMLESS = Mess(0, Rates(**RATES, **dict.fromkeys(LOSSES, 0.0)))


@pytest.fixture(scope="module")
def affected(spark):
    """Affected days of new records, each a moment of publication by source."""

    def find(as_of: str, last: str | None = None, **published: str) -> list[date]:
        rows = [("feature_engineering", "silver.weather", 0, moment(last))] if last else []
        rows.append(("monitoring", "gold.features", 0, moment("2020-01-01")))
        progress = spark.createDataFrame(rows, PROGRESS)
        new = [
            spark.createDataFrame(
                [(moment(published[s]),)] if s in published else [], "published_at timestamp"
            )
            for s in READ
        ]
        return find_affected_days(USE_CASE, run_at(as_of), progress, *new)

    return find


def test_a_movement_reaches_as_far_as_the_longest_family_that_reads_it():
    reach = reach_of_sources(USE_CASE)
    assert reach["movements"] == reach["timetable"] == timedelta(days=90)
    assert reach["weather"] == timedelta(days=2)
    assert reach["airports"] is None


@pytest.mark.parametrize(
    ("published", "last_day"),
    [
        ({"weather": "2013-05-01 23:00"}, 3),
        ({"movements": "2013-05-01 00:00"}, 9),
        ({"airports": "2013-05-01"}, 9),
    ],
)
def test_new_records_affect_the_days_that_they_reach_up_to_now(affected, published, last_day):
    assert affected("2013-05-09 12:00", **published) == sorted(
        days_between(date(2013, 5, 1), date(2013, 5, last_day))
    )


def test_flights_that_came_due_without_any_record_are_built_too(affected):
    assert affected("2013-05-03 01:00", last="2013-05-02 00:00") == [date(2013, 5, 2), date(2013, 5, 3)]


def test_nothing_is_affected_when_nothing_is_new_and_no_time_has_passed(affected):
    assert affected("2013-05-03 01:00", last="2013-05-03 01:00") == []


def test_records_published_after_now_wait(affected):
    assert affected("2013-05-01 00:00", weather="2013-05-02 00:00") == []


def test_no_affected_day_makes_no_table(spark):
    run, empty = run_at("2013-05-01"), spark.createDataFrame([], "published_at timestamp")
    assert list(build_spine(USE_CASE.spine, [], run, empty)) == []
    assert list(join_families([], empty)) == []
    assert list(insert_labels(USE_CASE.labels, [], empty)) == []
    assert list(mark_progress(READ, [], run, empty, empty, empty)) == []


def test_a_family_reads_only_what_is_published_within_its_lookback(spark):
    lateness = next(family for family in USE_CASE.families if family.name == "lateness")
    seen = []
    spy = type(lateness)(
        lateness.contract, ("movements",), lateness.lookback, lambda _, given: seen.append(given)
    )
    hours = [datetime(2013, 4, 20) + timedelta(hours=12 * n) for n in range(40)]  # noqa: DTZ001 - session's UTC
    records = spark.createDataFrame([(at,) for at in hours], "published_at timestamp")
    entities = spark.createDataFrame([], "predict_date date")
    build_family(spy, [date(2013, 5, 1), date(2013, 5, 2)], run_at("2013-05-02 12:00"), entities, records)
    first, last = seen[0].selectExpr("string(min(published_at))", "string(max(published_at))").first()
    assert (first, last) == ("2013-04-26 00:00:00", "2013-05-02 12:00:00")


@pytest.fixture(scope="module")
def project(spark, tmp_path_factory):
    """Three days in two runs, by the hour, with files late, odd and landed twice, and lines sent twice."""
    project = Project(tmp_path_factory.mktemp("project"))
    records = {name: sent[sent["published_at"] < NOW] for name, sent in records_of_the_year().items()}
    # What is late has landed when the second run looks, and the run's now is the third day's end all the same.
    for landed, now in (("2013-01-03", "2013-01-03"), ("2013-01-12", f"{NOW:%Y-%m-%d}")):
        project.play(landed, every="hour", mess=HARMLESS, records=records)
        for path in sorted(project.landing.glob("movements/*T0?.jsonl.gz")):
            project.land_bytes(f"movements/{path.name.replace('.', '-again.', 1)}", path.read_bytes())
        project.run(ingestion, feature_engineering, params={"as_of": now})
    return project


@pytest.mark.loop
def test_builds_every_flight_that_is_due_with_its_label(project):
    flights, features = (project.table(f"gold.{name}") for name in ("flights", "features"))
    assert project.table("ops.runs").count() == 2
    assert flights.count() == features.count() == features.select("key").distinct().count() > 2000
    latest = flights.agg({"predict_at": "max"}).first()[0]
    assert latest == datetime(2013, 1, 4)  # noqa: DTZ001 - session's UTC
    labelled = project.table("gold.labels").join(flights, "key").count()
    assert labelled > 0.8 * flights.count()


@pytest.mark.loop
def test_the_feed_did_what_it_may(project):
    manifest = json.loads((project.landing / "_manifest.json").read_text())
    kinds = {damage["kind"] for damage in (*manifest["records"], *manifest["files"])}
    assert kinds >= {"unknown_field", "resend", "late_resend", "late_file", "empty_file"}
    assert {damage["effect"] for damage in manifest["records"]} == {"none", "duplicate"}
    # The first run missed some of them, and its features have to be made anew.
    late = {file["source"] for file in manifest["files"] if file["kind"] == "late_file"}
    assert late & {"movements", "weather", "timetable"}
    assert len(list(project.landing.glob("movements/*"))) > 3 * 20


@pytest.mark.loop
def test_hour_by_hour_late_and_twice_equals_all_at_once(spark, project, tmp_path):
    at_once = Project(tmp_path)
    at_once.play("2013-01-04")
    at_once.run(ingestion, feature_engineering)
    for source in USE_CASE.sources:
        assert project.content(f"silver.{source.name}") == at_once.content(f"silver.{source.name}")
    assert fingerprints(spark, project.lakehouse.folder, GOLD) == fingerprints(
        spark, at_once.lakehouse.folder, GOLD
    )


@pytest.mark.loop
def test_running_again_writes_nothing(project):
    before = project.versions("gold")
    project.run(feature_engineering)
    assert project.versions("gold") == before
