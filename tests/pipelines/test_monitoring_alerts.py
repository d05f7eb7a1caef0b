import ast
from datetime import date, timedelta
from pathlib import Path

import pandas as pd
import pytest

from lakehouse_ml.flights import USE_CASE
from lakehouse_ml.pipelines.monitoring import findings
from lakehouse_ml.pipelines.monitoring.alerts import (
    DriftParams,
    DriftRule,
    drift_alerts,
    quality_alerts,
    retrain_alerts,
    rule_names,
)  # fmt: skip
from lakehouse_ml.pipelines.monitoring.findings import RETRAIN, RULES, Finding, found_alerts
from lakehouse_ml.pipelines.monitoring.landed import DataParams
from lakehouse_ml.pipelines.monitoring.retrain import Reason, RetrainDecision
from monitoring_builders import (
    CHAMPION,
    MONDAY,
    OWNERS,
    drift_history,
    quality_history,
    shipped,
)  # fmt: skip

RULE = DriftRule(name="shift", metric="population_stability_index", reference="BASELINE", at_least=0.25)


def windows(*values: float, feature: str = "distance", last: date = MONDAY) -> pd.DataFrame:
    """A feature's drift in consecutive windows, oldest first."""
    starts = [pd.Timestamp(last - timedelta(days=7 * n)) for n in reversed(range(len(values)))]
    return pd.DataFrame(
        {
            "drift_type": "BASELINE", "column_name": feature, "window_start": starts, "model_version": "3",
            "population_stability_index": values, "percent_null_delta": 0.0,
        }
    )  # fmt: skip


def drifted(frame: pd.DataFrame, *rules: DriftRule) -> list[Finding]:
    return drift_alerts(frame, DriftParams(rules=rules or (RULE,)), owners=OWNERS)


def test_only_the_newest_window_can_warn() -> None:
    assert not drifted(windows(0.9, 0.9, 0.1))
    assert [found.subject for found in drifted(windows(0.1, 0.1, 0.3))] == ["distance"]


def test_drift_only_ever_warns() -> None:
    assert {found.severity for found in drifted(drift_history())} == {"warning"}


def test_a_streak_of_windows_is_one_finding_and_a_new_streak_another() -> None:
    first, longer = (
        drifted(windows(0.1, 0.3)),
        drifted(windows(0.1, 0.3, 0.4, last=MONDAY + timedelta(days=7))),
    )
    again = drifted(windows(0.1, 0.3, 0.1, 0.4, last=MONDAY + timedelta(days=14)))
    assert first[0].alert_id == longer[0].alert_id
    assert first[0].alert_id != again[0].alert_id


def test_a_window_without_value_ends_a_streak_and_does_not_warn() -> None:
    assert not drifted(windows(0.3, float("nan")))


def test_rules_look_only_at_the_features_that_they_name() -> None:
    frame = pd.concat([windows(0.9, feature="temp_origin"), windows(0.9, feature="distance")])
    rule = RULE.model_copy(update={"but_not": ("*temp*",)})
    assert [found.subject for found in drifted(frame, rule)] == ["distance"]
    assert not drifted(frame, RULE.model_copy(update={"features": ("none*",)}))


def test_a_broken_newest_window_is_critical_and_a_healed_one_is_not() -> None:
    found = quality_alerts(quality_history(False, True), CHAMPION, owners=OWNERS)
    assert [(f.severity, f.subject, f.owner) for f in found] == [
        ("critical", "model version 3", "data science")
    ]
    assert "auc_floor broken in 2013-09-16" in found[0].reason
    assert not quality_alerts(quality_history(True, False), CHAMPION, owners=OWNERS)
    assert not quality_alerts(quality_history(True, version="2"), CHAMPION, owners=OWNERS)


def test_weeks_of_broken_windows_are_one_alert_and_the_next_time_is_another() -> None:
    def failing(history: pd.DataFrame) -> Finding:
        return quality_alerts(history, CHAMPION, owners=OWNERS)[0]

    weeks = quality_history(False, True, True, False, True)
    first, second, other = failing(weeks[:2]), failing(weeks[:3]), failing(weeks)
    assert first.alert_id == second.alert_id != other.alert_id
    assert "failing since 2013-08-26" in second.reason
    also = weeks[:3].assign(broken_rules=[[], ["auc_floor"], ["auc_floor", "precision_floor"]])
    assert failing(also).alert_id != second.alert_id, "another rule is news"


def test_what_is_wrong_with_the_data_says_so_and_everything_else_is_about_the_model() -> None:
    assert {f.about for f in quality_alerts(quality_history(True), CHAMPION, owners=OWNERS)} == {"model"}
    gone = windows(0.1).assign(percent_null_delta=75.0)
    shift, missing = DriftParams(**shipped("drift")).rules
    assert [(f.about, f.owner) for f in drifted(gone, shift, missing)] == [("data", "data engineering")]


def retraining(is_asked: bool, held_by: str = "", key: str = "k1") -> list[Finding]:
    reasons = (Reason("quality", is_asked, "2 of 5 windows"),)
    holds = tuple(Reason(code, code == held_by, f"{code} in words") for code in ("data_alert", "cooldown"))
    return retrain_alerts(RetrainDecision("3", reasons, holds, key, 4), owners=OWNERS)


def test_a_request_and_a_training_held_back_are_alerts_and_no_need_is_none() -> None:
    assert not retraining(False)
    (asked,), (held,) = retraining(True), retraining(True, "cooldown")
    assert (asked.rule, asked.severity, asked.owner) == ("retrain", "warning", "data science")
    assert asked.reason == "a new model is due: 2 of 5 windows; `kedro retrain` trains it"
    assert held.reason == "a new model is due: 2 of 5 windows; held back: cooldown in words"


def test_each_request_is_an_alert_and_what_holds_back_is_one_while_it_does() -> None:
    assert retraining(True)[0].alert_id != retraining(True, key="k2")[0].alert_id
    held, later = retraining(True, "cooldown"), retraining(True, "cooldown", key="k2")
    assert held[0].alert_id == later[0].alert_id != retraining(True, "data_alert")[0].alert_id


def test_every_alert_has_an_owner_or_is_refused() -> None:
    with pytest.raises(ValueError, match="nobody answers for 'model'"):
        quality_alerts(quality_history(True), CHAMPION, owners={"data": "x"})


def test_open_alerts_are_listed_once_the_most_urgent_first() -> None:
    first = Finding("a", "warning", "x", "r", "o", "e")
    worst = Finding("z", "critical", "x", "r", "o", "e")
    found = found_alerts([first, worst], [first])
    assert found["severity"].tolist() == ["critical", "warning"]
    assert found["alert_id"].str.len().eq(64).all()
    assert found_alerts([]).empty


def test_words_change_nothing_about_which_finding_it_is() -> None:
    one, other = (
        Finding("a", "info", "x", "text", "o", "e"),
        Finding("a", "info", "x", "other text", "o", "e"),
    )
    assert one.alert_id == other.alert_id
    assert one.alert_id != Finding("a", "info", "x", "text", "o", "f").alert_id


def test_the_shipped_drift_rules_watch_what_is_planned_and_leave_the_weather_alone() -> None:
    drift, *_ = DriftParams(**shipped("drift")).rules
    watched = [name for name in USE_CASE.feature_names if drift.looks_at(name)]
    assert {"carrier", "origin", "destination", "distance_miles", "block_minutes"} <= set(watched)
    assert not [
        name for name in watched if any(word in name for word in ("pressure", "wind", "lateness", "gain"))
    ]


def test_every_shipped_limit_names_a_source_of_the_use_case() -> None:
    DataParams(**shipped("data")).check_sources([contract.name for contract in USE_CASE.sources])


def named_in_code() -> set[str]:
    """Names that the monitor's code gives to rules: of findings and breaches, and of what a day's counts break."""
    files = Path(findings.__file__).parent.glob("*.py")
    nodes = [node for file in files for node in ast.walk(ast.parse(file.read_text()))]
    makers = ("Finding", "Breach", "_finding")
    calls = [n for n in nodes if isinstance(n, ast.Call) and getattr(n.func, "id", "") in makers]
    named = [value for call in calls for value in call.args[:1]]
    named += [keyword.value for call in calls for keyword in call.keywords if keyword.arg == "rule"]
    named += [n.value.elts[0] for n in nodes if isinstance(n, ast.Yield) and isinstance(n.value, ast.Tuple)]
    return {node.value for node in named if isinstance(node, ast.Constant)}


def test_every_rule_of_the_code_is_listed() -> None:
    assert named_in_code() | {RETRAIN} == set(RULES)
    assert len(set(RULES)) == len(RULES)


def test_the_rules_are_those_of_the_code_and_of_drift() -> None:
    assert rule_names(DriftParams(rules=(RULE,))) == (*RULES, "shift")


def test_the_runbook_explains_every_rule() -> None:
    page = (Path(__file__).parents[2] / "docs/runbook.md").read_text()
    table = page.split("## An alert is open")[1].split("\n## ")[0]
    rows = [line.split("|")[1] for line in table.splitlines() if line.startswith("| `")]
    told = [name.strip("` ") for row in rows for name in row.split(",")]
    assert sorted(told) == sorted(rule_names(DriftParams.model_validate(shipped("drift"))))
