from datetime import timedelta
from typing import Any

import numpy as np
import pandas as pd

from lakehouse_ml.pipelines.monitoring.findings import Finding
from lakehouse_ml.pipelines.monitoring.outcomes import OutcomeParams, outcome_alerts
from monitoring_builders import AS_OF, OWNERS, RUN, params

LIMITS = OutcomeParams(**params("outcomes"))
PER_DAY = 900


def resolved(days: int = 8, known_until: int = 1, seed: int = 0) -> pd.DataFrame:
    """The newest days, oldest first; of the last ``known_until`` no outcome is known yet."""
    generator = np.random.default_rng(seed)
    back = np.repeat(np.arange(days, 0, -1), PER_DAY)
    score = generator.beta(1, 3, len(back))
    known = back > known_until
    late = pd.Series(generator.random(len(back)) < score, dtype=object).where(known, None)
    day = [AS_OF.date() - timedelta(days=int(n)) for n in back]
    return pd.DataFrame(
        {
            "window_start": day[0], "predict_date": day, "score": score, "is_resolved": known, "label": late,
            "is_measured": False,
        }
    )  # fmt: skip


def found(frame: pd.DataFrame, **changes: Any) -> list[Finding]:
    return outcome_alerts(frame, RUN, LIMITS.model_copy(update=changes), owners=OWNERS)


def test_outcomes_that_come_in_time_and_as_promised_raise_nothing() -> None:
    assert not found(resolved())
    assert not found(resolved(known_until=2))


def test_outcomes_that_are_overdue_are_one_critical_finding_that_says_since_when() -> None:
    (alert,) = found(resolved(known_until=4))
    assert (alert.rule, alert.severity, alert.owner) == ("labels_late", "critical", "data engineering")
    assert "0 of 1800 outcomes of 2013-09-27 to 2013-09-28" in alert.reason
    assert alert.about == "data"
    assert found(resolved(known_until=3))[0].alert_id == alert.alert_id


def test_a_day_waits_its_time_before_its_outcomes_are_overdue() -> None:
    assert not found(resolved(known_until=4), max_wait_hours=96)
    assert found(resolved(known_until=1), max_wait_hours=0.0)


def test_outcomes_that_never_come_are_given_up_and_hold_no_model_back_for_ever() -> None:
    """A day lost for good would hold training and promotion back until its week leaves the history."""
    frame = resolved(days=20, known_until=0)
    gone = frame["predict_date"] == AS_OF.date() - timedelta(days=17)
    lost = frame.assign(label=frame["label"].where(~gone, None), is_resolved=frame["is_resolved"] & ~gone)
    assert [alert.rule for alert in found(lost, give_up_days=14.1)] == ["labels_late"]
    (alert,) = found(lost, give_up_days=14.0)
    assert (alert.rule, alert.severity, alert.about) == ("labels_lost", "warning", "platform")
    assert "0 of 900 outcomes of 2013-09-14 to 2013-09-14" in alert.reason
    both = lost.assign(
        is_resolved=lost["is_resolved"] & (lost["predict_date"] != AS_OF.date() - timedelta(days=5))
    )
    assert {alert.rule: alert.about for alert in found(both)} == {
        "labels_late": "data",
        "labels_lost": "platform",
    }


def test_outcomes_that_never_come_true_are_found_before_any_window_is_complete() -> None:
    frame = resolved(days=3)
    (alert,) = found(frame.assign(label=frame["label"].where(frame["label"].isna(), False)))
    assert (alert.rule, alert.severity) == ("outcomes_unlike_scores", "critical")
    assert "0 positive outcomes" in alert.reason


def test_outcomes_stay_found_when_their_week_is_measured_and_a_measured_week_is_not_overdue() -> None:
    frame = resolved(known_until=4)
    never = frame.assign(label=frame["label"].where(frame["label"].isna(), False))
    before, after = found(never), found(never.assign(is_measured=True))
    assert [alert.rule for alert in before] == ["labels_late", "outcomes_unlike_scores"]
    assert [alert.alert_id for alert in after] == [before[1].alert_id]


def test_a_sound_week_makes_up_for_no_day_of_the_week_after_it() -> None:
    frame = resolved(days=9, known_until=0)
    week, days = frame[: 7 * PER_DAY], frame[7 * PER_DAY :].assign(window_start=AS_OF.date(), label=False)
    assert not found(week)
    for is_measured in (False, True):
        assert found(pd.concat([week.assign(is_measured=is_measured), days])) == found(days) != []


def test_the_newest_window_that_is_unlike_is_told() -> None:
    frame = resolved(days=9, known_until=0).assign(label=False)
    week, days = frame[: 7 * PER_DAY], frame[7 * PER_DAY :].assign(window_start=AS_OF.date())
    assert found(pd.concat([week.assign(is_measured=True), days])) == found(days)


def test_outcomes_that_all_come_true_are_found_too() -> None:
    frame = resolved()
    always = frame.assign(label=frame["label"].where(frame["label"].isna(), True), score=frame["score"] / 2)
    assert [alert.rule for alert in found(always)] == ["outcomes_unlike_scores"]


def test_a_few_rows_are_not_compared_with_their_scores() -> None:
    frame = resolved(days=3)
    never = frame.assign(label=frame["label"].where(frame["label"].isna(), False))
    assert not found(never, min_expected=1e6)


def test_entities_that_never_get_a_label_are_known_and_promise_nothing() -> None:
    frame = resolved()
    assert not found(frame.assign(label=None, is_resolved=True))


def test_nothing_scored_is_nothing_to_wait_for() -> None:
    assert not found(resolved()[:0])
