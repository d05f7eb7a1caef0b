"""What the tables say about the holdout and about the data, without the help of training and evaluation."""

from datetime import UTC, date, datetime, timedelta

import pytest

from lakehouse_ml.lakehouse.key_digest import digest_of_keys
from lakehouse_ml.lakehouse.run import Run
from lakehouse_ml.pipelines.promotion.evidence import Declared, Landed
from lakehouse_ml.pipelines.promotion.records import declare_rows, record_data
from promotion_builders import AS_OF, candidates, rules

RUN = Run("run-1", AS_OF, {})
NOTHING = Declared(0, 0, (), digest_of_keys([]))


def moment(day: int, hour: int = 0, month: int = 9) -> datetime:
    return datetime(2013, month, day, hour, tzinfo=UTC)


@pytest.fixture(scope="module")
def declare(spark):
    """Counts of a holdout with these flights (key, hour asked) and labels (key, is late, known at)."""

    def counted(flights, labels) -> Declared:
        entities = spark.createDataFrame(
            [(key, at.date(), at) for key, at in flights],
            "key string, predict_date date, predict_at timestamp",
        )
        answers = spark.createDataFrame(
            [(*label, "r") for label in labels],
            "key string, is_late boolean, label_known_at timestamp, _revision string",
        )
        return declare_rows(candidates(), entities, answers, label="is_late")

    return counted


def test_counts_labelled_flights_of_the_holdout_once_each(declare):
    flights = [("before", moment(2)), ("late", moment(3)), ("punctual", moment(4)), ("unknown", moment(5))]
    labels = [
        ("before", True, moment(2, 5)),
        ("late", False, moment(3, 5)),
        # A correction of the same flight.
        ("late", True, moment(3, 9)),
        ("punctual", False, moment(4, 5)),
    ]
    assert declare(flights, labels) == Declared(
        2, 1, (date(2013, 9, 3), date(2013, 9, 4)), digest_of_keys(["late", "punctual"])
    )


def test_leaves_out_what_never_gets_a_label_and_what_was_asked_too_late_to_have_one(declare):
    flights = [("cancelled", moment(3)), ("newest", moment(30, 12))]
    labels = [("cancelled", None, moment(3, 5)), ("newest", True, moment(30, 15))]
    assert declare(flights, labels) == NOTHING


LOG = (
    "file string, source string, period_start timestamp, period_end timestamp, lines bigint, accepted bigint, "
    "duplicates bigint, quarantined bigint, status string, sequence int"
)


def file(name: str, day: int, counts=(10, 10, 0, 0), status: str = "ok", sequence: int = 1, month: int = 9):
    end = moment(day, month=month)
    return (f"{name}/{end:%Y-%m-%d}.jsonl.gz", name, end - timedelta(days=1), end, *counts, status, sequence)


ALERTS = (
    "alert_id string, sequence int, event string, rule string, subject string, about string, as_of timestamp"
)


def alert(event: str, sequence: int, at: datetime, rule: str = "labels_late", about: str = "data"):
    return (rule, sequence, event, rule, "outcomes", about, at)


@pytest.fixture(scope="module")
def record(spark):
    def recorded(*files, alerts=()):
        log, told = spark.createDataFrame(list(files), LOG), spark.createDataFrame(list(alerts), ALERTS)
        return record_data(candidates(train_start="2013-08-01"), log, told, NOTHING, RUN, rules()).data

    return recorded


def test_adds_up_lines_and_tells_the_newest_data_of_every_source(record):
    found = record(file("weather", 29), file("weather", 30), file("planes", 1, counts=(5, 4, 0, 1)))
    assert (found.files, found.unbalanced) == (3, ())
    assert found.landed == (Landed("planes", 5, 1), Landed("weather", 20, 0))
    assert found.newest == (("planes", moment(1)), ("weather", moment(30)))


def test_only_lines_that_the_models_learned_from_or_are_judged_on_are_added_up(record):
    found = record(
        file("weather", 1, month=8, counts=(10, 0, 0, 10)),
        file("weather", 2, month=8, counts=(10, 9, 0, 1)),
        file("planes", 31, month=7, counts=(5, 0, 0, 5)),
        file("airports", 29, counts=(0, 0, 0, 0), status="empty"),
    )
    assert (found.files, found.learned_from) == (4, date(2013, 8, 1))
    assert found.landed == (Landed("weather", 10, 1),)


def test_a_file_whose_lines_do_not_add_up_is_named(record):
    assert record(file("weather", 29, counts=(10, 9, 0, 0))).unbalanced == ("weather/2013-09-29.jsonl.gz",)


def test_what_the_platform_lands_beside_the_sources_holds_no_model_back(record):
    found = record(
        file("weather", 29),
        file("requests", 29, counts=(10, 0, 0, 10)),
        file("requests", 30, counts=(1, 0, 0, 1), status="unreadable"),
    )
    assert (found.landed, found.rejected_files) == ((Landed("weather", 10, 0),), ())


def test_a_file_without_accepted_lines_is_no_news(record):
    found = record(file("weather", 28), file("weather", 30, counts=(0, 0, 0, 0), status="empty"))
    assert found.newest == (("weather", moment(28)),)


def test_only_files_of_the_last_days_that_are_still_rejected_are_open_alerts(record):
    bad = {"counts": (1, 0, 0, 1), "status": "unreadable"}
    found = record(
        file("weather", 20, **bad),
        file("weather", 29, **bad),
        file("movements", 29, **bad),
        file("movements", 29, sequence=2),
    )
    assert found.rejected_files == ("weather/2013-09-29.jsonl.gz",)


def test_what_came_in_after_the_runs_now_does_not_count(record):
    assert record(file("weather", 29), file("weather", 2, month=10)).files == 1


def test_an_alert_about_the_data_is_open_until_it_is_closed(record):
    opened = alert("opened", 1, moment(20))
    told = [opened, alert("repeated", 2, moment(27))]
    assert record(file("weather", 29), alerts=told).open_alerts == (("labels_late", "outcomes"),)
    assert record(file("weather", 29), alerts=[*told, alert("closed", 3, moment(28))]).open_alerts == ()


def test_what_closes_after_the_runs_now_is_open_and_what_opens_then_is_not(record):
    told = [
        alert("opened", 1, moment(20)),
        alert("closed", 2, moment(2, month=10)),
        alert("opened", 1, moment(2, month=10), rule="stands_still"),
    ]
    assert record(file("weather", 29), alerts=told).open_alerts == (("labels_late", "outcomes"),)


def test_an_alert_about_a_model_is_no_alert_about_the_data(record):
    told = [alert("opened", 1, moment(20), rule="retrain", about="model")]
    assert record(file("weather", 29), alerts=told).open_alerts == ()
