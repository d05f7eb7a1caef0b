"""Incidents of some days, played by the feed: silence, values renamed or in other units, files sent again."""

from collections.abc import Mapping, Sequence
from functools import singledispatch
from types import MappingProxyType
from typing import Any

import numpy as np
import pandas as pd

from lakehouse_ml.flights.feed.damage import Effect
from lakehouse_ml.flights.feed.files import SUFFIX, Window, json_lines, zipped
from lakehouse_ml.flights.feed.odd import OddFile
from lakehouse_ml.incidents import FeedIncident, Incident, Renamed, Resent, Scaled, Silent
from lakehouse_ml.lakehouse.contract import Contract
from lakehouse_ml.lakehouse.sources import record_fields

EFFECTS: Mapping[str, Effect] = MappingProxyType(
    {"renamed": "altered", "scaled": "altered", "correction": "added"}
)
AGAIN_AFTER = pd.Timedelta(days=1)
NO_DELAY = pd.Timedelta(0)


class Incidents:
    """The damage of some incidents.

    Args:
        incidents: What goes wrong.
    """

    def __init__(self, incidents: Sequence[FeedIncident]) -> None:
        self.incidents = tuple(incidents)

    @property
    def world(self) -> dict[str, Any]:
        """See :class:`Damage`."""
        return {"incidents": [incident.model_dump(mode="json") for incident in self.incidents]}

    @property
    def effects(self) -> Mapping[str, Effect]:
        """See :class:`Damage`."""
        return EFFECTS

    @property
    def reach(self) -> pd.Timedelta:
        """See :class:`Damage`: what an incident hit may still be sent when it is over, or come again."""
        lasting = [pd.Timedelta(incident.end - incident.start) for incident in self.incidents]
        return max(lasting, default=NO_DELAY) + 2 * AGAIN_AFTER

    def lateness(self, source: str, period: pd.Timestamp) -> pd.Timedelta:
        """See :class:`Damage`: what was missed comes with the first file after the silence."""
        silences = [one for one in self._of(Silent) if one.source == source]
        missed = [one.end - period for one in silences if one.start <= period < one.end]
        return max(map(pd.Timedelta, missed), default=NO_DELAY)

    def messages(self, records: pd.DataFrame, contract: Contract) -> pd.DataFrame:
        """See :class:`Damage`."""
        sent = records.assign(_sent_at=records["published_at"], _damage="", _draw=np.uint64(0))
        for incident in self.incidents:
            sent = _told(incident, sent, contract.name)
        return sent

    def extra_files(self, records: pd.DataFrame, contract: Contract, window: Window) -> list[OddFile]:
        """See :class:`Damage`."""
        resent = [one for one in self._of(Resent) if contract.name in one.sources]
        if not resent:
            return []
        sent = self.messages(records, contract)
        period = window.period(sent["_sent_at"])
        return [
            _again(sent[period == start], contract, window, start)
            for start in sorted(period.unique())
            if window.includes(start + window.step + AGAIN_AFTER)
            and any(one.start <= start < one.end for one in resent)
        ]

    def _of(self, kind: type[Any]) -> list[Any]:
        return [incident for incident in self.incidents if isinstance(incident, kind)]


@singledispatch
def _told(incident: Incident, sent: pd.DataFrame, source: str) -> pd.DataFrame:
    """What is sent instead because of the incident."""
    return sent


@_told.register
def _renamed(incident: Renamed, sent: pd.DataFrame, source: str) -> pd.DataFrame:
    if source not in incident.sources:
        return sent
    hit = _during(incident, sent) & sent[incident.column].isin(list(incident.values))
    named = sent[incident.column].where(~hit, sent[incident.column].replace(incident.values))
    return sent.assign(**{incident.column: named}, _damage=sent["_damage"].mask(hit, "renamed"))


@_told.register
def _scaled(incident: Scaled, sent: pd.DataFrame, source: str) -> pd.DataFrame:
    if source != incident.source:
        return sent
    right = sent[incident.column]
    hit = _during(incident, sent) & right.notna()
    wrong = (right * incident.factor).round().astype(right.dtype)
    corrected = sent[hit].assign(published_at=incident.end, _sent_at=incident.end, _damage="correction")
    meddled = sent.assign(
        **{incident.column: right.mask(hit, wrong)}, _damage=sent["_damage"].mask(hit, "scaled")
    )
    return pd.concat([meddled, corrected.astype(meddled.dtypes)], ignore_index=True)


def _during(incident: Incident, sent: pd.DataFrame) -> "pd.Series[bool]":
    at = sent["_sent_at"]
    return (at >= pd.Timestamp(incident.start)) & (at < pd.Timestamp(incident.end))


def _again(rows: pd.DataFrame, contract: Contract, window: Window, start: pd.Timestamp) -> OddFile:
    """The period's file as it came, line by line, under another name."""
    ordered = rows.sort_values(["_sent_at", *contract.key], kind="stable")
    lines = json_lines(ordered[[column.name for column in record_fields(contract)]])
    name = f"{window.name(start)}-again{SUFFIX}"
    return OddFile(name, "resent_file", zipped(lines), start + window.step + AGAIN_AFTER, len(lines))
