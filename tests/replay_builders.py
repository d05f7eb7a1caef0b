"""Records of policies as a replay leaves them, small and made up."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pandas as pd

from lakehouse_ml.incidents import read_incidents
from lakehouse_ml.replay.comparison import Comparison, compared
from lakehouse_ml.replay.steps import Step, moments
from lakehouse_ml.replay.story import Story, Training
from lakehouse_ml.use_case import Costs

START, END = datetime(2013, 4, 1, tzinfo=UTC), datetime(2013, 7, 8, tzinfo=UTC)
NOWS = moments(START, END, timedelta(days=7))
COSTS = Costs(false_alarm=1.0, miss=2.0)
INCIDENTS = read_incidents(
    """
    - {name: silent weather, kind: silent, source: weather, from: 2013-05-04, until: 2013-05-07,
       noticed_by: [freshness, source_missing]}
    - {name: poisoned model, kind: poisoned, inverted_share: 0.7, from: 2013-05-13, until: 2013-05-14}
    - {name: files twice, kind: resent, sources: [movements], from: 2013-05-24, until: 2013-05-26}
    - {name: delays in seconds, kind: scaled, source: movements, column: delay_minutes, factor: 60,
       from: 2013-06-08, until: 2013-06-12, noticed_by: [rejected_lines]}
    """
)
NO_ALERTS = pd.DataFrame(
    {
        "alert_id": pd.Series(dtype=object),
        "event": pd.Series(dtype=object),
        "rule": pd.Series(dtype=object),
        "opened_at": pd.Series(dtype="datetime64[ns]"),
        "as_of": pd.Series(dtype="datetime64[ns]"),
    }
)


def alert(rule: str, opened: str, closed: str | None = None, alert_id: str = "") -> list[dict[str, Any]]:
    """Rows of ``ops.alerts``: its opening, and its end."""
    same = {"alert_id": alert_id or f"{rule} {opened}", "rule": rule, "opened_at": pd.Timestamp(opened)}
    rows = [{**same, "event": "opened", "as_of": pd.Timestamp(opened)}]
    return rows + ([{**same, "event": "closed", "as_of": pd.Timestamp(closed)}] if closed else [])


def alerts(*rows: list[dict[str, Any]]) -> pd.DataFrame:
    found = [row for group in rows for row in group]
    return pd.DataFrame(found, columns=list(NO_ALERTS.columns)) if found else NO_ALERTS


def training(as_of: str, version: str | None = None, reason: str = "floor_roc_auc: FAILED 0.4") -> Training:
    """A promotion, or a refusal where there is no version."""
    at = datetime.fromisoformat(as_of).replace(tzinfo=UTC)
    return Training(at, "promoted" if version else "refused", version, "" if version else reason)


def scored(skill: float, days: int = 98, a_day: int = 60) -> pd.DataFrame:
    """Predictions whose scores follow the truth the more the greater the skill."""
    random = np.random.default_rng(1)
    label = random.random(days * a_day) < 0.25
    noise = random.normal(size=len(label))
    score = 1 / (1 + np.exp(1.5 - skill * label - noise))
    dates = pd.date_range("2013-04-01", periods=days).repeat(a_day)
    key = [f"k{number:05}" for number in range(len(label))]
    return pd.DataFrame(
        {"key": key, "predict_date": dates.date, "score": score, "decision": score > 0.3, "label": label}
    )


def story(
    policy: str,
    skill: float = 1.0,
    rows: pd.DataFrame = NO_ALERTS,
    trainings: Sequence[Training] = (training("2013-04-01", "1"),),
) -> Story:
    steps = [Step(f"run-{number}", now, {}, 20.0 + number) for number, now in enumerate(NOWS)]
    return Story(policy, steps, scored(skill), rows, trainings, {})


def ingestion_log(*resent: str) -> pd.DataFrame:
    """A file of each source and day, and those that came again."""
    days = pd.date_range("2013-05-20", "2013-05-31")
    rows = [(f"movements/{day:%Y-%m-%d}.jsonl.gz", "movements", day, 100, 0) for day in days]
    rows += [(f"movements/{day}-again.jsonl.gz", "movements", pd.Timestamp(day), 100, 100) for day in resent]
    log = pd.DataFrame(rows, columns=["file", "source", "period_start", "lines", "duplicates"])
    return log.assign(period_end=log["period_start"] + timedelta(days=1), quarantined=0)


def comparison(*stories: Story, incidents: Any = INCIDENTS) -> Comparison:
    told = {one.policy: one for one in stories}
    return compared(told, NOWS, incidents, COSTS, ingestion_log("2013-05-24", "2013-05-25"))
