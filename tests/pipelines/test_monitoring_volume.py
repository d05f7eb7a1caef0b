from datetime import date, timedelta
from typing import Any

import pandas as pd
import pytest

from lakehouse_ml.pipelines.monitoring.findings import Finding
from lakehouse_ml.pipelines.monitoring.volume import VolumeParams, volume_findings
from monitoring_builders import AS_OF, file_history, params

LIMITS = VolumeParams(**params("data")["volume"])
FILES = file_history()
DAYS = pd.to_datetime(FILES["day"])


def found(files: pd.DataFrame, days: int = 7, **changes: Any) -> list[Finding]:
    since = pd.Timestamp(AS_OF.date() - timedelta(days=days))
    return list(volume_findings(files, since, LIMITS.model_copy(update=changes), "data engineering"))


def without(*days: int, source: str = "timetable") -> pd.DataFrame:
    gone = DAYS.dt.day.isin(days) & (DAYS.dt.month == 9) & (FILES["source"] == source)
    return FILES[~gone]


@pytest.mark.parametrize("source", ["timetable", "movements", "weather"])
def test_a_day_that_never_landed_is_found_although_the_source_is_fresh(source: str) -> None:
    (alert,) = found(without(26, source=source))
    assert (alert.rule, alert.severity, alert.subject, alert.about) == ("volume", "critical", source, "data")
    assert "0 on 2013-09-26 (usual: " in alert.reason


def test_days_that_bring_what_is_usual_are_not_found() -> None:
    assert not found(FILES)
    assert not found(FILES[:0])


def test_a_day_of_which_most_is_missing_is_found() -> None:
    is_day = (FILES["day"] == date(2013, 9, 26)) & (FILES["source"] == "movements")
    few = FILES["accepted"].where(~is_day, FILES["accepted"] // 3)
    assert "movements: fewer lines than 40% of what is usual" in found(FILES.assign(accepted=few))[0].reason
    assert not found(FILES.assign(accepted=FILES["accepted"].where(~is_day, FILES["accepted"] // 2)))


def test_the_newest_day_is_only_late_until_a_later_one_brought_something() -> None:
    assert not found(without(30))
    empty = FILES["accepted"].where(FILES["day"] != date(2013, 9, 30), 0)
    assert not found(FILES.assign(accepted=empty))


def test_more_days_are_the_same_finding_which_ends_when_they_are_old_or_there() -> None:
    (one,), (two,) = found(without(26)), found(without(25, 26))
    assert one.alert_id == two.alert_id
    assert "0 on 2013-09-25" in two.reason
    assert not found(without(20))
    assert found(without(20), days=14)


def test_what_was_lost_before_is_not_usual_and_a_young_source_has_no_usual_day() -> None:
    assert "usual: 9" in found(without(*range(10, 20), 26))[0].reason
    young = without(26)[without(26)["day"] > date(2013, 9, 20)]
    assert not found(young)
