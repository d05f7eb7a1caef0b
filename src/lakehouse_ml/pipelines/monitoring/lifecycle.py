"""The life of an alert: opened once, told again while it lasts, closed when its finding is gone."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any, Self

import pandas as pd
from pydantic import Field, model_validator
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from lakehouse_ml.lakehouse.run import Run
from lakehouse_ml.lakehouse.tables import ALERTS
from lakehouse_ml.pipelines.monitoring.frames import naive, rows_of, to_frame
from lakehouse_ml.pipelines.monitoring.params import Params

OPENED, REPEATED, CLOSED = "opened", "repeated", "closed"
_TIMES = ("opened_at", "as_of")


class AlertParams(Params):
    """How often people hear of an alert.

    Attributes:
        remind_days: One that stays open is told again after so many days.
        wait_days: A message that a route did not take waits so long for it; a new route is told no older ones.
    """

    remind_days: float = Field(gt=0)
    wait_days: float = Field(gt=0)

    @model_validator(mode="after")
    def _loses_no_open_alert(self) -> Self:
        if self.wait_days < self.remind_days:
            raise ValueError(
                f"wait_days: must be at least remind_days = {self.remind_days:g}, is {self.wait_days:g}: an open "
                f"alert whose message was given up would not be told again in time"
            )
        return self


def newest_events(before: DataFrame, found: pd.DataFrame) -> pd.DataFrame:
    """The newest row of each alert that is open, or that is found now: columns of ``ops.alerts`` (UTC, no zone).

    Args:
        before: ``ops.alerts`` before this run.
        found: See :func:`findings.found_alerts`.
    """
    newest = F.max_by(F.struct(*before.columns), "sequence").alias("newest")
    rows = before.groupBy("alert_id").agg(newest).select("newest.*")
    wanted = (F.col("event") != CLOSED) | F.col("alert_id").isin(found["alert_id"].tolist())
    return rows.where(wanted).toPandas()


def open_before(before: DataFrame) -> pd.DataFrame:
    """The newest row of each alert that is open before this run, likewise."""
    return newest_events(before, pd.DataFrame({"alert_id": []}))


def open_alerts(found: pd.DataFrame, known: pd.DataFrame, run: Run) -> pd.DataFrame:
    """What is found now, the most urgent first, with ``opened_at`` (UTC, no zone).

    Args:
        found: See :func:`findings.found_alerts`.
        known: See :func:`newest_events` or :func:`open_before`.
        run: Its now opens what is new.
    """
    since = known[known["event"] != CLOSED].set_index("alert_id")["opened_at"]
    opened_at = pd.to_datetime(found["alert_id"].map(since)).fillna(naive(run.as_of))
    return found.assign(opened_at=opened_at)


def next_event(is_found: bool, newest: Any | None, now: pd.Timestamp, params: AlertParams) -> str | None:
    """What happens to an alert; None: nothing that anybody is told.

    Args:
        is_found: Whether its finding is there now.
        newest: Its newest row: ``event`` and ``as_of`` (UTC, no zone); None: it was never opened.
        now: UTC, no zone.
        params: When it is told again.
    """
    if newest is None or newest.event == CLOSED:
        return OPENED if is_found else None
    if not is_found:
        return CLOSED
    return REPEATED if now - newest.as_of >= timedelta(days=params.remind_days) else None


def alert_events(
    alerts: pd.DataFrame, known: pd.DataFrame, runs: DataFrame, run: Run, params: AlertParams
) -> DataFrame:
    """What happened to the alerts in this run, as rows of ``ops.alerts``; none when nothing is to be told.

    The same run again adds nothing: what it opened is open, what it closed is closed.

    Args:
        alerts: See :func:`open_alerts`.
        known: See :func:`newest_events`.
        runs: ``ops_runs``, this run included.
        run: The run.
        params: When an alert is told again.
    """
    now, found, newest = naive(run.as_of), _by_id(alerts), _by_id(known)
    happened = {
        alert: event
        for alert in {**found, **newest}
        if (event := next_event(alert in found, newest.get(alert), now, params))
    }
    events = [
        _row(event, found.get(alert), newest.get(alert), now) | {"run_id": run.run_id}
        for alert, event in happened.items()
    ]
    nows = _nows(runs, events)
    return to_frame(runs, ({**event, "runs": _count(nows, event)} for event in events), ALERTS)


def _by_id(alerts: pd.DataFrame) -> dict[str, Any]:
    return {row.alert_id: row for row in rows_of(alerts)}


def _row(event: str, found: Any | None, newest: Any | None, now: pd.Timestamp) -> dict[str, Any]:
    """The row but for the run; an alert that is gone is described as it was last."""
    told = newest if found is None else found
    texts = ("alert_id", "rule", "severity", "subject", "reason", "evidence", "about", "owner")
    opened_at = now if event == OPENED or newest is None else newest.opened_at
    return {
        **{name: getattr(told, name) for name in texts},
        "sequence": 1 if newest is None else newest.sequence + 1,
        "event": event,
        "opened_at": opened_at.tz_localize("UTC").to_pydatetime(),
        "as_of": now.tz_localize("UTC").to_pydatetime(),
    }


def _nows(runs: DataFrame, events: Sequence[dict[str, Any]]) -> list[int]:
    """The nows of the runs since the oldest alert was opened, in microseconds since 1970."""
    lasting = [event["opened_at"] for event in events if event["event"] != OPENED]
    if not lasting:
        return []
    since = runs.where(F.col("as_of") >= F.lit(min(lasting)))
    return [row[0] for row in since.select(F.unix_micros("as_of")).collect()]


def _count(nows: Sequence[int], event: dict[str, Any]) -> int:
    """Runs that found the alert: the one that opened it, those in between, and this one if it found it."""
    if event["event"] == OPENED:
        return 1
    first, last = (round(event[name].timestamp() * 1e6) for name in _TIMES)
    since = sum(first <= now <= last for now in nows)
    return max(1, since - (event["event"] == CLOSED))


def due_messages(events: DataFrame, run: Run, params: AlertParams) -> list[dict[str, Any]]:
    """Everything that people are to hear of, oldest first: the rows of the last days as plain JSON values.

    Args:
        events: ``ops_alerts`` with this run's rows.
        run: Its now ends the days.
        params: How long a message waits for a route.

    Returns:
        Fields of ``ops.alerts``, times as ISO 8601 (UTC), and ``id``, which is the same whenever a message is told.
    """
    since = F.lit(run.as_of - timedelta(days=params.wait_days))
    recent = events.where(F.col("as_of") > since).orderBy("as_of", "sequence", "rule", "subject", "alert_id")
    return [_message(row._asdict()) for row in rows_of(recent.toPandas())]


def _message(row: dict[str, Any]) -> dict[str, Any]:
    times = {name: f"{row[name]:%Y-%m-%dT%H:%M:%SZ}" for name in _TIMES}
    return {**row, **times, "id": f"{row['alert_id']}-{row['sequence']}"}
