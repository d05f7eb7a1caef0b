"""The alert rules: each looks at one kind of history and says what is wrong now, to whom."""

from collections.abc import Iterator, Sequence
from datetime import UTC
from fnmatch import fnmatchcase
from typing import Any, Literal

import pandas as pd
from pydantic import Field

from lakehouse_ml.lakehouse.run import Run
from lakehouse_ml.pipelines.monitoring.champion import Watched
from lakehouse_ml.pipelines.monitoring.findings import RETRAIN, Finding, Owners, owner_of
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
    """

    name: str
    metric: DriftMetric
    reference: Literal["BASELINE", "CONSECUTIVE"]
    at_least: float
    features: tuple[str, ...] = ("*",)
    but_not: tuple[str, ...] = ()

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
    """What the landed data must keep.

    Attributes:
        max_hours: Age of a source's newest data against the run's now; a source not named is never late.
        max_rejected_share: Of a source's lines of one day.
        min_lines: Days with fewer lines have no share worth looking at.
        days: Days of publication that are looked at, before the run's now.
    """

    max_hours: dict[str, float]
    max_rejected_share: float = Field(gt=0, lt=1)
    min_lines: int = Field(ge=1)
    days: int = Field(ge=1)


def drift_alerts(drift: pd.DataFrame, params: DriftParams, *, owners: Owners) -> list[Finding]:
    """One warning per rule and feature whose newest window drifted; a streak of windows is one finding.

    Args:
        drift: ``drift_history`` of the champion.
        params: Rules.
        owners: Who answers.
    """
    owner = owner_of(owners, "model")
    return [
        Finding(rule.name, "warning", str(feature), _drifted(rule, streak), owner, _streak_evidence(streak))
        for rule in params.rules
        for feature, windows in drift[drift["drift_type"] == rule.reference].groupby("column_name")
        if rule.looks_at(str(feature)) and len(streak := _newest_streak(windows, rule))
    ]


def _newest_streak(windows: pd.DataFrame, rule: DriftRule) -> pd.DataFrame:
    """The newest windows in a row that reach the limit, oldest first; none when the newest does not."""
    ordered = windows.sort_values("window_start")
    is_quiet = ~(ordered[rule.metric] >= rule.at_least)
    return ordered[is_quiet[::-1].cumsum()[::-1] == 0]


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
    """A critical alert when the champion's newest complete window breaks quality rules.

    Args:
        quality: ``quality_history``.
        champion: Whose windows count.
        owners: Who answers.
    """
    mine = quality[quality["model_version"] == champion.version].sort_values("window_start").tail(1)
    return [
        Finding(
            rule="quality",
            severity="critical",
            subject=f"model version {window.model_version}",
            reason=(
                f"{', '.join(window.broken_rules)} broken in {window.window_start} to {window.window_end}: "
                f"AP {window.average_precision:.3f}, AUC {window.roc_auc:.3f}, Brier {window.brier_loss:.3f} "
                f"over {window.rows} predictions"
            ),
            owner=owner_of(owners, "model"),
            evidence=f"{window.window_start}, {sorted(window.broken_rules)}",
        )
        for window in rows_of(mine)
        if window.is_violation
    ]


def data_alerts(
    files: pd.DataFrame, run: Run, params: DataParams, *, sources: Sequence[str], owners: Owners
) -> list[Finding]:
    """Sources that are late, days with too many rejected lines, files that could not be read.

    Args:
        files: ``file_history``.
        run: Its now tells what is late.
        params: Limits.
        sources: The use case's sources.
        owners: Who answers.

    Raises:
        ValueError: A limit names a source that does not exist.
    """
    unknown = sorted(set(params.max_hours) - set(sources))
    if unknown:
        raise ValueError(
            f"monitoring.data.max_hours names {', '.join(unknown)}; the sources are {', '.join(sources)}"
        )
    now = pd.Timestamp(run.as_of).tz_convert(UTC).tz_localize(None)
    recent = files[pd.to_datetime(files["day"]) >= now - pd.Timedelta(days=params.days)]
    owner = owner_of(owners, "data")
    return [*_late(files, now, params, owner), *_rejected(recent, params, owner), *_unreadable(recent, owner)]


def source_ages(files: pd.DataFrame, now: pd.Timestamp) -> dict[str, Any]:
    """Hours since the end of the newest period with data, by source; ``now`` is UTC without zone."""
    newest = pd.to_datetime(files.groupby("source")["newest"].max())
    return {str(source): (now - end) / pd.Timedelta(hours=1) for source, end in newest.items()}


def _late(files: pd.DataFrame, now: pd.Timestamp, params: DataParams, owner: str) -> Iterator[Finding]:
    ages, newest = source_ages(files, now), files.groupby("source")["newest"].max()
    for source, limit in params.max_hours.items():
        age = ages.get(source)
        if age is None or not age <= limit:
            found = "no data at all" if pd.isna(age) else f"newest data is {age:.0f} h old"
            reason = f"{source}: {found} (at most {limit:g} h)"
            yield Finding(
                "freshness", "critical", source, reason, owner, evidence=f"newest {newest.get(source)}"
            )


def _rejected(recent: pd.DataFrame, params: DataParams, owner: str) -> Iterator[Finding]:
    for row in rows_of(recent[recent["lines"] >= params.min_lines]):
        share = row.quarantined / row.lines
        if share > params.max_rejected_share:
            reason = (
                f"{row.source} on {row.day}: {row.quarantined} of {row.lines} lines quarantined "
                f"({share:.1%}, at most {params.max_rejected_share:.1%}); quarantine.lines names the rules"
            )
            evidence = f"{row.day}, {row.quarantined} of {row.lines}"
            yield Finding("rejected_lines", "warning", row.source, reason, owner, evidence)


def _unreadable(recent: pd.DataFrame, owner: str) -> Iterator[Finding]:
    for row in rows_of(recent[recent["unreadable"] > 0]):
        reason = (
            f"{row.source} on {row.day}: {row.unreadable} of {row.files} files rejected as a whole; "
            f"ask for them again, ops.ingestion_log names them"
        )
        yield Finding(
            "unreadable_file", "critical", row.source, reason, owner, f"{row.day}, {row.unreadable} files"
        )


def retrain_alerts(decision: RetrainDecision, *, owners: Owners) -> list[Finding]:
    """The retrain decision on record, for or against, with all its reasons."""
    verb = "retrain" if decision.is_due else "keep"
    return [
        Finding(
            rule=RETRAIN,
            severity="warning" if decision.is_due else "info",
            subject=f"model version {decision.model_version}",
            reason=f"{verb}: {'; '.join(reason.text for reason in decision.reasons)}",
            owner=owner_of(owners, "model"),
            evidence=f"due {decision.is_due}: {'; '.join(reason.evidence for reason in decision.reasons)}",
        )
    ]
