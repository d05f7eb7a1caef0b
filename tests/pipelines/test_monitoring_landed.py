from datetime import date, timedelta
from typing import Any

import pandas as pd
import pytest

from lakehouse_ml.pipelines.monitoring.findings import Finding
from lakehouse_ml.pipelines.monitoring.landed import DataParams, data_alerts
from monitoring_builders import AS_OF, OWNERS, RUN, SOURCES, file_history, file_row, params

DATA = DataParams(**{**params("data"), "no_fixed_time": ("planes",)})


def found_in(files: pd.DataFrame, **changes: Any) -> list[Finding]:
    limits = DATA.model_copy(update=changes)
    return data_alerts(files, RUN, limits, sources=SOURCES, owners=OWNERS)


def test_fresh_and_clean_data_raise_nothing() -> None:
    assert not found_in(file_history())


def test_a_source_that_stopped_is_critical_until_it_comes_back() -> None:
    files = file_history()
    silent = files[(files["source"] != "weather") | (files["day"] < date(2013, 9, 27))]
    (found,) = found_in(silent)
    assert (found.rule, found.subject, found.severity, found.owner) == (
        "freshness", "weather", "critical", "data engineering",
    )  # fmt: skip
    assert "96 h old (at most 30 h)" in found.reason


def test_a_source_that_stays_late_is_one_alert_whatever_its_age() -> None:
    files = file_history()
    ids = set()
    for day in (26, 27, 28):
        behind = (files["source"] == "weather") & (files["day"] >= date(2013, 9, day))
        ids |= {found.alert_id for found in found_in(files[~behind])}
    assert len(ids) == 1


@pytest.mark.parametrize("source", SOURCES)
def test_each_source_is_missed_when_it_never_landed(source: str) -> None:
    files = file_history()
    (found,) = found_in(files[files["source"] != source])
    assert (found.rule, found.severity, found.subject, found.about) == (
        "freshness",
        "critical",
        source,
        "data",
    )


def test_a_file_without_data_does_not_make_a_source_fresh() -> None:
    files = file_history()
    empty = (files["source"] == "weather") & (files["day"] >= date(2013, 9, 28))
    assert [f.rule for f in found_in(files.assign(newest=files["newest"].mask(empty)))] == ["freshness"]


def test_a_source_that_never_landed_is_reported() -> None:
    files = file_history()
    (found,) = found_in(files[files["source"] != "movements"])
    assert found.reason == "movements: no data at all"


def test_snapshots_without_a_limit_never_grow_late() -> None:
    assert "planes" not in DATA.max_hours
    assert not [f for f in found_in(file_history()) if f.subject == "planes"]


def test_limits_that_miss_a_source_or_name_none_are_refused_by_name() -> None:
    with pytest.raises(
        ValueError, match=r"does not name weather; names twice planes; .* none such, wether; the so"
    ):
        found_in(file_history(), max_hours={"timetable": 9, "movements": 9, "wether": 3.0, "planes": 9})


def test_a_day_with_too_many_rejects_warns_once_and_an_old_one_does_not() -> None:
    (found,) = found_in(file_history(weather=9))
    assert (found.rule, found.severity) == ("rejected_lines", "warning")
    assert "9 of 72 on 2013-09-30 (12.5%)" in found.reason
    old = file_row("movements", AS_OF.date() - timedelta(days=20), 1000, 900)
    assert not found_in(pd.concat([file_history(), pd.DataFrame([old])]))
    came_now = {**old, "taken": pd.Timestamp(2013, 9, 29)}
    assert [f.rule for f in found_in(pd.concat([file_history(), pd.DataFrame([came_now])]))] == [
        "rejected_lines"
    ]
    assert not found_in(file_history(weather=9), min_lines=100)


def test_a_run_that_takes_all_history_again_opens_no_old_fault() -> None:
    """As a refresh of silver does: what was wrong long ago would hold training back for a week."""
    old = file_row("movements", AS_OF.date() - timedelta(days=20), 1000, 900, unreadable=1)
    files = pd.concat([file_history(), pd.DataFrame([old])]).assign(taken=pd.Timestamp(AS_OF.date()))
    assert not found_in(files)
    assert [f.rule for f in found_in(files, days=45)] == ["rejected_lines", "unreadable_file"]


def test_lines_and_files_of_what_the_platform_lands_hold_no_model_back() -> None:
    logged = file_row("requests", date(2013, 9, 29), 100, 90, unreadable=1)
    found = found_in(pd.concat([file_history(), pd.DataFrame([logged])]))
    assert [(alert.rule, alert.subject, alert.about, alert.owner) for alert in found] == [
        ("rejected_lines", "requests", "platform", OWNERS["platform"]),
        ("unreadable_file", "requests", "platform", OWNERS["platform"]),
    ]


def test_what_is_wrong_with_the_data_says_so_and_has_an_owner() -> None:
    files = file_history(weather=9)
    bad = file_row("movements", date(2013, 9, 29), 1, 1, unreadable=1)
    found = found_in(pd.concat([files[files["source"] != "planes"], pd.DataFrame([bad])]))
    assert {f.rule for f in found} == {"freshness", "rejected_lines", "unreadable_file"}
    assert {f.about for f in found} == {"data"}
    with pytest.raises(ValueError, match="nobody answers for 'data'"):
        data_alerts(files, RUN, DATA, sources=SOURCES, owners={"data": ""})


def test_days_of_broken_lines_and_files_are_one_alert_a_source() -> None:
    """A sender that stays broken would open and close an alert a day."""
    bad = [file_row("weather", date(2013, 9, day), 100, 50, unreadable=1) for day in range(23, 30)]
    first = found_in(pd.concat([file_history(), pd.DataFrame(bad[:1])]))
    rejected, unreadable = found_in(pd.concat([file_history(), pd.DataFrame(bad)]))
    assert [alert.alert_id for alert in first] == [rejected.alert_id, unreadable.alert_id]
    assert "50 of 100 on 2013-09-29 (50.0%); and 2 earlier days; quarantine.lines" in rejected.reason
    assert "1 of 1 of 2013-09-29; and 2 earlier days; ask for them again" in unreadable.reason


def test_a_file_rejected_as_a_whole_is_critical() -> None:
    bad = file_row("movements", date(2013, 9, 29), 1, 1, unreadable=1)
    (found,) = found_in(pd.concat([file_history(), pd.DataFrame([bad])]))
    assert (found.rule, found.severity) == ("unreadable_file", "critical")
    (again,) = found_in(pd.concat([file_history(), pd.DataFrame([{**bad, "files": 2, "unreadable": 2}])]))
    assert again.alert_id == found.alert_id, "a further file of the day is no other alert"


def test_a_misnamed_file_is_told_by_its_name_once_and_holds_no_model_back() -> None:
    odd = file_row("weather", date(2013, 9, 29), 0, 0, misnamed=["weather/notes.txt", "weather/old/"])
    (found,) = found_in(pd.concat([file_history(), pd.DataFrame([odd])]))
    assert (found.rule, found.severity, found.subject) == ("misnamed_file", "warning", "weather")
    assert found.reason.startswith("weather/notes.txt, weather/old/: not taken, ")
    assert found.about != "data", "neither training nor promotion may wait for it"
    more = {**odd, "misnamed": ["weather/old/"]}
    assert found_in(pd.concat([file_history(), pd.DataFrame([more])]))[0].alert_id == found.alert_id
    long_ago = file_row("weather", AS_OF.date() - timedelta(days=20), 0, 0, misnamed=["weather/notes.txt"])
    assert not found_in(pd.concat([file_history(), pd.DataFrame([long_ago])]))


def test_fields_that_no_contract_knows_warn_once_a_source_and_hold_no_model_back() -> None:
    def warned(day: int, **warnings: int) -> pd.DataFrame:
        named = {name.replace("_", "_field:", 1): lines for name, lines in warnings.items()}
        return pd.DataFrame([file_row("weather", date(2013, 9, day), 10, 0, warnings=named)])

    two_days = pd.concat([file_history(), warned(28, unknown_gust=3), warned(29, unknown_gust=2)])
    (found,) = found_in(two_days)
    assert (found.rule, found.severity, found.subject, found.owner) == (
        "warned_lines", "warning", "weather", "data engineering",
    )  # fmt: skip
    assert found.reason.startswith("weather: unknown_field:gust in 5 lines; ")
    assert found.about != "data", "neither training nor promotion may wait for it"
    (one_day,) = found_in(pd.concat([file_history(), warned(29, unknown_gust=1)]))
    assert one_day.alert_id == found.alert_id
    (other,) = found_in(pd.concat([two_days, warned(29, missing_visibility=1)]))
    assert other.alert_id != found.alert_id
    assert not found_in(pd.concat([file_history(), warned(1, unknown_gust=3)]))
