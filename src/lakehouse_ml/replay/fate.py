"""What became of an incident under a policy: when it was noticed, contained and over."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from itertools import groupby

import pandas as pd

from lakehouse_ml.incidents import FeedIncident, Poisoned, Resent
from lakehouse_ml.pipelines.monitoring.lifecycle import CLOSED, OPENED
from lakehouse_ml.replay.story import Story, Training

# Alerts about an incident may come so long after its end.
ECHO = timedelta(days=15)


@dataclass(frozen=True)
class Fate:
    """One incident under one policy. Moments are nows of steps, UTC; None: it did not happen.

    Attributes:
        incident: What went wrong.
        noticed: First alert or decision about it.
        noticed_by: The rule.
        contained: From when on nothing was made of it: no version promoted until it was healed, no line counted twice.
            Scores that were served on damaged rows meanwhile are harm too, and not shown.
        contained_by: What held it.
        healed: When the last alert about it was closed, or without one when the damage ended.
    """

    incident: FeedIncident | Poisoned
    noticed: datetime | None
    noticed_by: str
    contained: datetime | None
    contained_by: str
    healed: datetime | None


def fates_of(
    incidents: Sequence[FeedIncident | Poisoned], story: Story, files: pd.DataFrame, nows: Sequence[datetime]
) -> list[Fate]:
    """What became of each incident; a poisoned training is no reaction to the others.

    Args:
        incidents: What went wrong, in the order of time.
        story: The policy's record.
        files: The data part's ``ops.ingestion_log``, times in UTC without zone.
        nows: The steps' nows.
    """
    poisons = [incident for incident in incidents if isinstance(incident, Poisoned)]
    meddled = meddled_trainings(poisons, story.trainings, nows)
    # A refusal of the policy's own may equal that of a meddled model in every value.
    apart = [one for one in story.trainings if not any(one is other for other in meddled)]
    sound, decided = replace(story, trainings=apart), iter(meddled)
    return [
        _fate_of_poison(incident, next(decided))
        if isinstance(incident, Poisoned)
        else fate_of(incident, sound, files, nows)
        for incident in incidents
    ]


def fate_of(incident: FeedIncident, story: Story, files: pd.DataFrame, nows: Sequence[datetime]) -> Fate:
    """What became of an incident of the data; as of :func:`fates_of`, the story without meddled trainings."""
    if isinstance(incident, Resent):
        return _fate_of_resent(incident, files, nows)
    return _fate_of_data(incident, story, nows)


def meddled_trainings(
    poisons: Sequence[Poisoned], trainings: Sequence[Training], nows: Sequence[datetime]
) -> list[Training | None]:
    """The decision on each meddled model; None: it was not reached.

    Those of a step are its last decisions, in the order of the poisons: they come after the policy's own.
    """
    found: list[Training | None] = []
    for due, together in groupby(poisons, key=lambda poison: first_from(poison.start, nows)):
        count = len(list(together))
        decided = [training for training in trainings if training.as_of == due]
        found += [*decided[-count:], *[None] * count][:count]
    return found


def first_from(moment: datetime, nows: Sequence[datetime]) -> datetime | None:
    """The first step that could know of the moment; None: the replay ended before."""
    return next((now for now in nows if now >= moment), None)


def _fate_of_poison(incident: Poisoned, training: Training | None) -> Fate:
    if training is None or training.decision != "refused":
        return Fate(
            incident, None, "", None, "nothing refused it" if training else "it was not reached", None
        )
    at = training.as_of
    return Fate(incident, at, "promotion gate", at, f"refused: {training.reason}", at)


def _fate_of_resent(incident: Resent, files: pd.DataFrame, nows: Sequence[datetime]) -> Fate:
    start, end = (_naive(moment) for moment in (incident.start, incident.end))
    mine = files["source"].isin(incident.sources) & files["period_start"].between(
        start, end, inclusive="left"
    )
    again = files[mine & (files["lines"] > 0) & (files["duplicates"] == files["lines"])]
    arrived = again["period_end"] + timedelta(days=1)
    again = again[arrived <= _naive(nows[-1])]
    if again.empty:
        return Fate(incident, None, "", None, "", None)
    first, last = (first_from(_utc(moment), nows) for moment in (arrived.min(), arrived.max()))
    words = (
        f"{int(again['lines'].sum()):,} lines of {len(again)} files known as duplicates, none counted twice"
    )
    return Fate(incident, first, "ops.ingestion_log", first, words, last)


def _fate_of_data(incident: FeedIncident, story: Story, nows: Sequence[datetime]) -> Fate:
    alerts = alerts_about(incident, story.alerts)
    healed = first_from(incident.end, nows) if alerts.empty else closing(alerts, story.alerts)
    meanwhile = [one for one in story.trainings if _is_meanwhile(one.as_of, incident, healed, alerts)]
    trained = [one for one in meanwhile if one.version]
    opened = None if alerts.empty else _utc(alerts["as_of"].min())
    rules = ", ".join(dict.fromkeys(alerts.sort_values("as_of")["rule"]))
    if trained:
        return Fate(
            incident, opened, rules, None, f"version {trained[0].version} was promoted meanwhile", healed
        )
    words = "the gate refused what was trained meanwhile" if meanwhile else "no model was trained meanwhile"
    return Fate(incident, opened, rules, opened, words if opened else "", healed)


def _is_meanwhile(
    at: datetime, incident: FeedIncident, healed: datetime | None, alerts: pd.DataFrame
) -> bool:
    if at < incident.start or healed is None:
        return at >= incident.start
    # A training in the step that closes the last alert is one that waited for it; without alerts, nothing waited.
    return at <= healed if alerts.empty else at < healed


def alerts_about(incident: FeedIncident, alerts: pd.DataFrame) -> pd.DataFrame:
    """The openings of alerts that tell of the incident."""
    during = alerts["as_of"].between(_naive(incident.start), _naive(incident.end + ECHO))
    return alerts[(alerts["event"] == OPENED) & during & alerts["rule"].isin(incident.noticed_by)]


def closing(opened: pd.DataFrame, alerts: pd.DataFrame) -> datetime | None:
    """When the last of the opened alerts was closed; None: one is open still."""
    closed = alerts[alerts["event"] == CLOSED].merge(
        opened[["alert_id", "opened_at"]], on=["alert_id", "opened_at"]
    )
    return _utc(closed["as_of"].max()) if len(closed) == len(opened) else None


def _utc(moment: pd.Timestamp) -> datetime:
    return moment.tz_localize(UTC).to_pydatetime()


def _naive(moment: datetime) -> pd.Timestamp:
    return pd.Timestamp(moment).tz_convert(UTC).tz_localize(None)
