"""The alert rules: each looks at one kind of history and says what is wrong now, to whom."""

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from fnmatch import fnmatchcase
from typing import Any, Literal

import pandas as pd
from pydantic import Field

from lakehouse_ml.lakehouse.run import Run
from lakehouse_ml.pipelines.monitoring.champion import Watched
from lakehouse_ml.pipelines.monitoring.findings import RETRAIN, RULES, About, Finding, Owners, owner_of
from lakehouse_ml.pipelines.monitoring.frames import naive, rows_of
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


class DataParams(Params):
    """What the landed data must keep. Every source stands in one of the first two.

    Attributes:
        max_hours: Age of a source's newest data against the run's now.
        no_fixed_time: Sources that are published at no fixed time: late only while they have no data at all.
        max_rejected_share: Of a source's lines of one day.
        min_lines: Days with fewer lines have no share worth looking at.
        days: Days of publication that are looked at, before the run's now.
    """

    max_hours: dict[str, float]
    no_fixed_time: tuple[str, ...] = ()
    max_rejected_share: float = Field(gt=0, lt=1)
    min_lines: int = Field(ge=1)
    days: int = Field(ge=1)

    def check_sources(self, sources: Sequence[str]) -> None:
        """Make sure that each source has its limit, or none on purpose.

        Raises:
            ValueError: Naming the sources that are left out, named twice or unknown.
        """
        named = [*self.max_hours, *self.no_fixed_time]
        faults = {
            "does not name": sorted(set(sources) - set(named)),
            "names twice": sorted({source for source in named if named.count(source) > 1}),
            "names, and there is none such,": sorted(set(named) - set(sources)),
        }
        told = [f"{fault} {', '.join(names)}" for fault, names in faults.items() if names]
        if told:
            raise ValueError(
                f"monitoring.data (max_hours, no_fixed_time) {'; '.join(told)}; the sources are {', '.join(sources)}"
            )


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


def data_alerts(
    files: pd.DataFrame, run: Run, params: DataParams, *, sources: Sequence[str], owners: Owners
) -> list[Finding]:
    """Sources that are late, days with too many rejected lines, unreadable and misnamed files, lines with warnings.

    Args:
        files: ``file_history``.
        run: Its now tells what is late.
        params: Limits.
        sources: The use case's sources.
        owners: Who answers.

    Raises:
        ValueError: A source has no limit, or a limit no source.
    """
    params.check_sources(sources)
    now = naive(run.as_of)
    recent = files[pd.to_datetime(files["day"]) >= now - pd.Timedelta(days=params.days)]
    owner = owner_of(owners, "data")
    is_own = recent["source"].isin(sources)
    # No model learns from what the platform lands beside the use case's sources: it must hold none back.
    own, others = recent[is_own], recent[~is_own]
    return [
        *_late(files, now, params, owner),
        *_rejected(own, params, owner, "data"),
        *_rejected(others, params, owner_of(owners, "platform"), "platform"),
        *_unreadable(own, owner, "data"),
        *_unreadable(others, owner_of(owners, "platform"), "platform"),
        *_misnamed(recent, owner),
        *_warned(recent, owner),
    ]


def source_ages(files: pd.DataFrame, now: pd.Timestamp) -> dict[str, Any]:
    """Hours since the end of the newest period with data, by source; ``now`` is UTC without zone."""
    newest = pd.to_datetime(files.groupby("source")["newest"].max())
    return {str(source): (now - end) / pd.Timedelta(hours=1) for source, end in newest.items()}


def _late(files: pd.DataFrame, now: pd.Timestamp, params: DataParams, owner: str) -> Iterator[Finding]:
    ages = source_ages(files, now)
    limits = {**params.max_hours, **dict.fromkeys(params.no_fixed_time, math.inf)}
    for source, limit in limits.items():
        age = ages.get(source)
        if age is None or not age <= limit:
            found = (
                "no data at all" if pd.isna(age) else f"newest data is {age:.0f} h old (at most {limit:g} h)"
            )
            # The age is left out: a source that stays late by a day is late once, not once a day.
            evidence = "no data" if pd.isna(age) else f"at most {limit:g} h"
            yield Finding("freshness", "critical", source, f"{source}: {found}", owner, evidence, "data")


def _rejected(recent: pd.DataFrame, params: DataParams, owner: str, about: About) -> Iterator[Finding]:
    for row in rows_of(recent[recent["lines"] >= params.min_lines]):
        share = row.quarantined / row.lines
        if share > params.max_rejected_share:
            reason = (
                f"{row.source} on {row.day}: {row.quarantined} of {row.lines} lines quarantined "
                f"({share:.1%}, at most {params.max_rejected_share:.1%}); quarantine.lines names the rules"
            )
            yield Finding("rejected_lines", "warning", row.source, reason, owner, str(row.day), about)


def _unreadable(recent: pd.DataFrame, owner: str, about: About) -> Iterator[Finding]:
    for row in rows_of(recent[recent["unreadable"] > 0]):
        reason = (
            f"{row.source} on {row.day}: {row.unreadable} of {row.files} files rejected as a whole; "
            f"ask for them again, ops.ingestion_log names them"
        )
        # Their number is left out, as are names below: with each further file it would be another alert.
        yield Finding("unreadable_file", "critical", row.source, reason, owner, str(row.day), about)


def _misnamed(recent: pd.DataFrame, owner: str) -> Iterator[Finding]:
    for row in rows_of(recent[recent["misnamed"].map(len) > 0]):
        names = ", ".join(row.misnamed)
        reason = (
            f"{names}: not taken, since the name tells no period; rename what holds lines, remove the rest"
        )
        # Whether the source's own lines are missing, its age tells: a foreign file must hold no model back.
        yield Finding("misnamed_file", "warning", row.source, reason, owner, str(row.day), "platform")


def _warned(recent: pd.DataFrame, owner: str) -> Iterator[Finding]:
    for source, days in recent.groupby("source"):
        counted: Counter[str] = sum(map(Counter, days["warnings"]), Counter())
        if counted:
            told = ", ".join(f"{name} in {lines} lines" for name, lines in sorted(counted.items()))
            reason = f"{source}: {told}; ask the sender, then change the source's contract or its rule"
            # The lines were taken and are sound: that the contract is behind must hold no training or model back.
            yield Finding(
                "warned_lines", "warning", str(source), reason, owner, ", ".join(sorted(counted)), "platform"
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
