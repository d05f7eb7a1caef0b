"""An alert is opened once, told again while it lasts, and closed when it is gone."""

import json
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError
from pyspark.sql import DataFrame, SparkSession

from lakehouse_ml.lakehouse import tables
from lakehouse_ml.lakehouse.run import Run
from lakehouse_ml.pipelines.monitoring.findings import Finding, found_alerts
from lakehouse_ml.pipelines.monitoring.lifecycle import (
    CLOSED,
    OPENED,
    REPEATED,
    AlertParams,
    alert_events,
    due_messages,
    newest_events,
    next_event,
    open_alerts,
)
from monitoring_builders import AS_OF, shipped
from monitoring_rows import Table, table_maker

DAY = timedelta(days=1)
FIRST = pd.Timestamp(2013, 1, 1)
PARAMS = AlertParams(**shipped("alerts"))
LATE = Finding("freshness", "critical", "weather", "96 h old", "data engineering", "at most 30 h", "data")
SHIFT = Finding("drift", "warning", "distance", "0.3", "data science", "since monday")


def lived(found_on: list[bool], params: AlertParams = PARAMS) -> list[str | None]:
    """What happened on each day of an alert that was found on some of them."""
    events: list[str | None] = []
    newest = None
    for day, is_found in enumerate(found_on):
        now = FIRST + day * DAY
        event = next_event(is_found, newest, now, params)
        events.append(event)
        newest = SimpleNamespace(event=event, as_of=now) if event else newest
    return events


def test_a_fortnight_is_told_at_its_begin_after_a_week_and_at_its_end() -> None:
    told = lived([False, *[True] * 14, False, False])
    assert [(day, event) for day, event in enumerate(told) if event] == [
        (1, OPENED),
        (8, REPEATED),
        (15, CLOSED),
    ]


@given(st.lists(st.booleans(), max_size=60), st.integers(1, 20))
def test_people_hear_of_what_is_there_and_are_not_flooded(found_on: list[bool], remind: int) -> None:
    told = lived(found_on, AlertParams(remind_days=remind, wait_days=20))
    is_open, heard = False, -1
    for day, (event, is_found) in enumerate(zip(told, found_on, strict=True)):
        assert (event == OPENED) == (is_found and not is_open)
        assert (event == CLOSED) == (is_open and not is_found)
        if event == REPEATED:
            assert day - heard == remind
        heard, is_open = (day if event else heard), is_found
        assert not is_open or day - heard < remind, "an open alert was not told in time"


def test_messages_wait_at_least_until_the_alert_is_told_again() -> None:
    with pytest.raises(ValidationError, match="wait_days: must be at least remind_days = 7, is 6"):
        AlertParams(remind_days=7, wait_days=6)


class Life:
    """``ops.alerts`` over runs, each with its findings."""

    def __init__(self, table: Table) -> None:
        self.table = table
        self.rows: list[dict[str, Any]] = []
        self.runs: list[dict[str, Any]] = []

    def run(self, day: int, *findings: Finding) -> list[tuple[str, str]]:
        """Rules and events of the run's new rows."""
        run = Run(f"run-{day}", AS_OF + day * DAY, {})
        if run.run_id not in {row["run_id"] for row in self.runs}:
            self.runs.append({"run_id": run.run_id, "as_of": run.as_of})
        found = found_alerts(list(findings))
        known = newest_events(self.frame(), found)
        self.open = open_alerts(found, known, run)
        new = alert_events(self.open, known, self.table(tables.RUNS, *self.runs), run, PARAMS)
        tables.ALERTS.check_columns(dict(new.dtypes))
        self.messages = due_messages(self.frame().unionByName(new), run, PARAMS)
        added = [row.asDict() for row in new.collect()]
        moments = [(found["as_of"], found["opened_at"]) for found in added]
        assert all(at.tzinfo is None for pair in moments for at in pair)
        self.rows += [
            {**row, **{name: row[name].astimezone() for name in ("as_of", "opened_at")}} for row in added
        ]
        return [(row["rule"], row["event"]) for row in added]

    def frame(self) -> DataFrame:
        return self.table(tables.ALERTS, *self.rows)


@pytest.fixture(scope="module")
def life(spark: SparkSession) -> Life:
    """A late source for nine days, a shift on the first and again on the last ones."""
    return Life(table_maker(spark))


def test_rows_tell_the_whole_life_of_each_alert(life: Life) -> None:
    assert life.run(0, LATE, SHIFT) == [("freshness", OPENED), ("drift", OPENED)]
    assert life.run(0, LATE, SHIFT) == [], "the same run again"
    assert life.run(1, LATE) == [("drift", CLOSED)]
    assert life.run(2, LATE) == []
    assert life.run(7, LATE) == [("freshness", REPEATED)]
    assert life.run(8, LATE, SHIFT) == [("drift", OPENED)]
    assert life.open["opened_at"].tolist() == [pd.Timestamp(2013, 10, 1), pd.Timestamp(2013, 10, 9)]
    assert life.run(9, SHIFT) == [("freshness", CLOSED)]
    rows = pd.DataFrame(life.rows).sort_values(["rule", "sequence"])
    late, shift = rows[rows["rule"] == "freshness"], rows[rows["rule"] == "drift"]
    assert late["sequence"].tolist() == [1, 2, 3]
    assert late["runs"].tolist() == [1, 4, 5]
    assert late["opened_at"].nunique() == 1
    assert late["reason"].tolist() == ["96 h old"] * 3
    assert shift["event"].tolist() == [OPENED, CLOSED, OPENED]
    assert shift["sequence"].tolist() == [1, 2, 3]
    assert shift["runs"].tolist() == [1, 1, 1]
    assert shift["alert_id"].nunique() == 1


def test_messages_are_plain_json_of_the_last_days_with_lasting_ids(life: Life) -> None:
    told = json.loads(json.dumps(life.messages))
    assert [(m["rule"], m["event"]) for m in told] == [
        ("drift", OPENED), ("freshness", OPENED), ("drift", CLOSED), ("freshness", REPEATED), ("drift", OPENED),
        ("freshness", CLOSED),
    ]  # fmt: skip
    first = told[1]
    assert (first["opened_at"], first["as_of"]) == ("2013-10-01T00:00:00Z", "2013-10-01T00:00:00Z")
    assert first["id"] == f"{LATE.alert_id}-1"
    assert set(first) == {"id", *tables.ALERTS.names}
    life.run(20, SHIFT)
    assert [m["event"] for m in life.messages] == [REPEATED, OPENED, CLOSED, REPEATED], (
        "older ones are given up"
    )
