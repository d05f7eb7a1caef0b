"""The alert rules: each looks at one kind of history and says what is wrong now, to whom."""

from collections.abc import Sequence
from fnmatch import fnmatchcase
from typing import Any, Literal

import pandas as pd

from lakehouse_ml.pipelines.monitoring.champion import Watched
from lakehouse_ml.pipelines.monitoring.findings import RETRAIN, RULES, About, Finding, Owners, owner_of
from lakehouse_ml.pipelines.monitoring.frames import rows_of
from lakehouse_ml.pipelines.monitoring.params import Params
from lakehouse_ml.pipelines.monitoring.retrain import RetrainDecision

DriftMetric = Literal["population_stability_index", "js_distance", "percent_null_delta"]


class DriftRule(Params):
    """When a feature's drift is worth a warning.

    Attributes:
        name: Names the rule in alerts.
        metric: Column of ``ops.drift_metrics``.
        reference: Compared with the training window or with the window before.
        at_least: Warns from this value on.
        features: Patterns of the features it looks at.
        but_not: Patterns of those it leaves out.
        about: What is wrong when it warns, and so who acts.
    """

    name: str
    metric: DriftMetric
    reference: Literal["BASELINE", "CONSECUTIVE"]
    at_least: float
    features: tuple[str, ...] = ("*",)
    but_not: tuple[str, ...] = ()
    about: About = "model"

    def looks_at(self, feature: str) -> bool:
        """Whether the rule is about the feature."""
        is_in, is_out = (
            any(fnmatchcase(feature, p) for p in group) for group in (self.features, self.but_not)
        )
        return is_in and not is_out


class DriftParams(Params):
    """The drift rules; none means that drift is shown but never warned of."""

    rules: tuple[DriftRule, ...]


def rule_names(drift: DriftParams) -> tuple[str, ...]:
    """Names of all rules that an alert can be of."""
    return (*RULES, *(rule.name for rule in drift.rules))


def drift_alerts(drift: pd.DataFrame, params: DriftParams, *, owners: Owners) -> list[Finding]:
    """One warning per rule and feature whose newest window drifted; a streak of windows is one finding.

    Args:
        drift: ``drift_history`` of the champion.
        params: Rules.
        owners: Who answers.
    """
    return [
        Finding(
            rule=rule.name,
            severity="warning",
            subject=str(feature),
            reason=_drifted(rule, streak),
            owner=owner_of(owners, rule.about),
            evidence=_streak_evidence(streak),
            about=rule.about,
        )
        for rule in params.rules
        for feature, windows in drift[drift["drift_type"] == rule.reference].groupby("column_name")
        if rule.looks_at(str(feature)) and len(streak := _newest_streak(windows, rule))
    ]


def _newest_streak(windows: pd.DataFrame, rule: DriftRule) -> pd.DataFrame:
    """The newest windows in a row that reach the limit, oldest first; none when the newest does not."""
    ordered = windows.sort_values("window_start")
    return newest_run(ordered, ordered[rule.metric] >= rule.at_least)


def newest_run(ordered: pd.DataFrame, is_hit: "pd.Series[bool]") -> pd.DataFrame:
    """The last rows for which the condition holds without a gap; none when it fails for the last one."""
    return ordered[(~is_hit)[::-1].cumsum()[::-1] == 0]


def _drifted(rule: DriftRule, streak: pd.DataFrame) -> str:
    first, newest = streak.iloc[0], streak.iloc[-1]
    reference = "the training window" if rule.reference == "BASELINE" else "the window before"
    return (
        f"{rule.metric} {newest[rule.metric]:.3g} against {reference} in the window from "
        f"{newest['window_start']:%Y-%m-%d} (warns from {rule.at_least:g}); "
        f"so since {first['window_start']:%Y-%m-%d}"
    )


def _streak_evidence(streak: pd.DataFrame) -> str:
    first = streak.iloc[0]
    return f"version {first['model_version']}, since {first['window_start']:%Y-%m-%d}"


def quality_alerts(quality: pd.DataFrame, champion: Watched, *, owners: Owners) -> list[Finding]:
    """A critical alert when the champion's newest complete window breaks quality rules; a streak is one finding.

    Args:
        quality: ``quality_history``.
        champion: Whose windows count.
        owners: Who answers.
    """
    mine = quality[quality["model_version"] == champion.version].sort_values("window_start")
    streak = list(rows_of(newest_run(mine, mine["is_violation"].astype(bool))))
    return [_failing(streak, owner_of(owners, "model"))] if streak else []


def _failing(streak: Sequence[Any], owner: str) -> Finding:
    first, newest = streak[0], streak[-1]
    return Finding(
        rule="quality",
        severity="critical",
        subject=f"model version {newest.model_version}",
        reason=(
            f"{', '.join(newest.broken_rules)} broken in {newest.window_start} to {newest.window_end}: "
            f"AP {newest.average_precision:.3f}, AUC {newest.roc_auc:.3f}, Brier {newest.brier_loss:.3f} "
            f"over {newest.rows} predictions; failing since {first.window_start}"
        ),
        owner=owner,
        evidence=f"since {first.window_start}, {sorted(newest.broken_rules)}",
    )


def retrain_alerts(decision: RetrainDecision, *, owners: Owners) -> list[Finding]:
    """A warning while a training is asked for, or while one that is needed is held back."""
    if decision.outcome == "none":
        return []
    is_held = decision.outcome == "held_back"
    return [
        Finding(
            rule=RETRAIN,
            severity="warning",
            subject=f"model version {decision.model_version}",
            reason=f"a new model is due: {decision.wanted}; {decision.next_step}",
            owner=owner_of(owners, "model"),
            # Held back by the same things it is the same alert, whichever window asks for it.
            evidence=f"held back by {decision.held_back_by}"
            if is_held
            else f"request {decision.request_key}",
        )
    ]
