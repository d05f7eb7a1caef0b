"""Whether the truth comes in, and is anything like what was predicted; before any window is complete."""

from collections.abc import Iterator
from datetime import UTC, timedelta

import pandas as pd
from pydantic import Field

from lakehouse_ml.lakehouse.run import Run
from lakehouse_ml.pipelines.monitoring.findings import Finding, Owners, owner_of
from lakehouse_ml.pipelines.monitoring.params import Params

SUBJECT = "outcomes"


class OutcomeParams(Params):
    """What outcomes must keep.

    Attributes:
        max_wait_hours: After the end of a day, until when its outcomes must be known.
        min_known_share: Of a day's predictions, those whose outcome must be known by then.
        give_up_days: Overdue for longer, they hold no model back: it learns from fewer rows, and from no wrong one.
        min_expected: Positives that the scores must promise before outcomes are compared with them.
        min_ratio: Positives that came, over those that the scores promised.
        max_ratio: The same.
    """

    max_wait_hours: float = Field(gt=0)
    min_known_share: float = Field(gt=0, le=1)
    give_up_days: float = Field(ge=0)
    min_expected: float = Field(gt=0)
    min_ratio: float = Field(gt=0, lt=1)
    max_ratio: float = Field(gt=1)


def outcome_alerts(
    resolved: pd.DataFrame, run: Run, params: OutcomeParams, *, owners: Owners
) -> list[Finding]:
    """Days whose outcomes are overdue or given up, and outcomes that are nothing like the scores.

    A window without its outcomes is never complete, so no quality rule sees it: this does.

    Args:
        resolved: Output of ``waiting_predictions``; the days of each window are judged by themselves.
        run: Its now tells what is overdue.
        params: Limits.
        owners: Who answers.
    """
    days = outcome_days(resolved[~resolved["is_measured"]])
    now = pd.Timestamp(run.as_of).tz_convert(UTC).tz_localize(None)
    # Of a whole day.
    waited = now - days["day"] - timedelta(days=1, hours=params.max_wait_hours)
    lacking = days["known"] < params.min_known_share * days["rows"]
    late = lacking & (waited >= timedelta(0))
    lost = lacking & (waited >= timedelta(days=params.give_up_days))
    # A sound window beside it would make up for the first days of a broken one.
    windows = [outcome_days(window) for _, window in resolved.groupby("window_start")]
    unlike = [finding for window in windows for finding in _unlike(window, params, owners)]
    return [*_late(days[late & ~lost], params, owners), *_lost(days[lost], params, owners), *unlike[-1:]]


def outcome_days(resolved: pd.DataFrame) -> pd.DataFrame:
    """Predictions by day: day (UTC), rows, known, positives, and expected positives of those that are known."""
    known = resolved["label"].notna()
    parts = pd.DataFrame(
        {
            "day": pd.to_datetime(resolved["predict_date"]),
            "rows": 1,
            "known": resolved["is_resolved"].astype("int64"),
            "positives": (resolved["label"] == True).astype("int64"),  # noqa: E712 - missing is neither
            "expected": resolved["score"].where(known, 0.0),
        }
    )
    return parts.groupby("day", as_index=False).sum()


def _late(late: pd.DataFrame, params: OutcomeParams, owners: Owners) -> Iterator[Finding]:
    if not late.empty:
        reason = f"{_known(late, params)}: no quality figure covers these days"
        yield _finding("labels_late", reason, "predictions whose outcomes are due", owners)


def _lost(lost: pd.DataFrame, params: OutcomeParams, owners: Owners) -> Iterator[Finding]:
    if not lost.empty:
        reason = (
            f"{_known(lost, params)}, and overdue for {params.give_up_days:g} days: their weeks are never measured, "
            f"and training goes on without them"
        )
        owner = owner_of(owners, "data")
        yield Finding(
            "labels_lost", "warning", SUBJECT, reason, owner, "outcomes that are given up", "platform"
        )


def _known(days: pd.DataFrame, params: OutcomeParams) -> str:
    rows, known = int(days["rows"].sum()), int(days["known"].sum())
    since, until = (f"{day:%Y-%m-%d}" for day in (days["day"].min(), days["day"].max()))
    return (
        f"{known} of {rows} outcomes of {since} to {until} are known (at least {params.min_known_share:.0%} of "
        f"each day {params.max_wait_hours:g} h after it)"
    )


def _unlike(days: pd.DataFrame, params: OutcomeParams, owners: Owners) -> Iterator[Finding]:
    full = days[days["known"] >= params.min_known_share * days["rows"]]
    expected, positives = float(full["expected"].sum()), int(full["positives"].sum())
    if expected < params.min_expected or params.min_ratio <= positives / expected <= params.max_ratio:
        return
    since, until = (f"{day:%Y-%m-%d}" for day in (full["day"].min(), full["day"].max()))
    reason = (
        f"{positives} positive outcomes of {since} to {until}, where the scores promised {expected:.0f}: "
        f"{positives / expected:.2f} times (must be {params.min_ratio:g} to {params.max_ratio:g}); look at the units "
        f"and rules of the source that labels come from"
    )
    yield _finding("outcomes_unlike_scores", reason, "the newest predictions", owners)


def _finding(rule: str, reason: str, evidence: str, owners: Owners) -> Finding:
    # The days are no evidence: as long as any are overdue, or unlike, it is the same finding.
    return Finding(rule, "critical", SUBJECT, reason, owner_of(owners, "data"), evidence, "data")
