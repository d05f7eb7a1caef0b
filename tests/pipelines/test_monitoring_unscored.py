from datetime import UTC, date, datetime, timedelta

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lakehouse_ml.lakehouse.run import Run
from lakehouse_ml.pipelines.monitoring.findings import Finding
from lakehouse_ml.pipelines.monitoring.unscored import ScoringParams, due_days, unscored_alerts
from lakehouse_ml.pipelines.monitoring.windows import WindowParams
from monitoring_builders import CHAMPION, OWNERS, params

LIMITS = ScoringParams(**params("scoring"))
WINDOWS = WindowParams(**params("windows"))
NOON = datetime(2013, 9, 10, 12, tzinfo=UTC)


def found(*days: tuple[int, int]) -> list[Finding]:
    """What is found on consecutive days with so many due, and so many of them not scored."""
    rows = [(date(2013, 9, 4) + timedelta(days=n), *counts) for n, counts in enumerate(days)]
    return unscored_alerts(pd.DataFrame(rows, columns=["day", "due", "unscored"]), LIMITS, owners=OWNERS)


def test_an_empty_batch_is_one_critical_finding_that_says_how_many_wait_since_when() -> None:
    (alert,) = found((900, 0), (900, 900), (450, 450))
    assert (alert.rule, alert.severity, alert.about) == ("not_scored", "critical", "platform")
    assert alert.owner == "ml platform"
    assert "1350 of 1350 that were due on 2013-09-05 to 2013-09-06 have no prediction" in alert.reason
    assert found((900, 900))[0].alert_id == alert.alert_id


def test_a_batch_that_stopped_in_the_middle_of_the_day_is_found_the_same_day() -> None:
    assert found((900, 0), (500, 100))
    assert not found((900, 0), (500, 25))


def test_where_nothing_was_due_nothing_is_missing() -> None:
    assert not found()


@given(st.lists(st.integers(1, 1000)))
def test_whoever_scores_all_that_is_due_is_left_alone(due: list[int]) -> None:
    assert not found(*((rows, 0) for rows in due))


@pytest.fixture(scope="module")
def counted(spark):
    """Days as ``due_days`` counts them; flights are key and moment, predictions key and role."""

    def count(flights, predictions, champion=CHAMPION):
        days = {key: at.date() for key, at in flights}
        entities = spark.createDataFrame(
            [(key, at, at.date()) for key, at in flights],
            "key string, predict_at timestamp, predict_date date",
        )
        scored = spark.createDataFrame(
            [(key, role, days[key]) for key, role in predictions],
            "key string, role string, predict_date date",
        )
        found = due_days(entities, scored, champion, Run("run-1", NOON, {}), WINDOWS)
        return [tuple(row) for row in found.itertuples(index=False)]

    return count


def test_counts_what_was_due_and_what_no_champion_scored(counted) -> None:
    flights = [
        *(("long ago", NOON - timedelta(days=8)), ("yesterday", NOON - timedelta(days=1))),
        *(("this morning", NOON - timedelta(hours=3)), ("now", NOON), ("shadowed", NOON)),
        ("this evening", NOON + timedelta(hours=1)),
    ]
    predictions = [
        *(("yesterday", "champion"), ("yesterday", "challenger"), ("now", "champion")),
        ("shadowed", "challenger"),
    ]
    assert counted(flights, predictions) == [(date(2013, 9, 9), 1, 0), (date(2013, 9, 10), 3, 2)]


def test_days_that_the_champion_was_trained_on_are_not_due(counted) -> None:
    learned = [("learned", NOON - timedelta(days=1)), ("new", NOON)]
    young = type(CHAMPION)("4", "d" * 64, date(2013, 1, 1), NOON.date())
    assert counted(learned, [], young) == [(date(2013, 9, 10), 1, 1)]
