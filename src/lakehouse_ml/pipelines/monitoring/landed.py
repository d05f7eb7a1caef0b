"""Whether what landed is in time, whole and sound."""

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import pandas as pd
from pydantic import Field

from lakehouse_ml.lakehouse.run import Run
from lakehouse_ml.pipelines.monitoring.findings import About, Finding, Owners, owner_of
from lakehouse_ml.pipelines.monitoring.frames import naive, rows_of
from lakehouse_ml.pipelines.monitoring.params import Params
from lakehouse_ml.pipelines.monitoring.volume import VolumeParams, volume_findings

_MOST_DAYS = 5


class DataParams(Params):
    """What the landed data must keep. Every source stands in one of the first two.

    Attributes:
        max_hours: Age of a source's newest data against the run's now.
        no_fixed_time: Sources that are published at no fixed time: late only while they have no data at all.
        max_rejected_share: Of a source's lines of one day.
        min_lines: Days with fewer lines have no share worth looking at.
        days: Days of publication that are looked at, before the run's now.
        volume: What each of these days must bring, of the sources with a limit to their age.
    """

    max_hours: dict[str, float]
    no_fixed_time: tuple[str, ...] = ()
    max_rejected_share: float = Field(gt=0, lt=1)
    min_lines: int = Field(ge=1)
    days: int = Field(ge=1)
    volume: VolumeParams

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


def data_alerts(
    files: pd.DataFrame, run: Run, params: DataParams, *, sources: Sequence[str], owners: Owners
) -> list[Finding]:
    """Sources that are late, days that are missing or odd, files of which nothing was taken, lines with warnings.

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
    since = now - pd.Timedelta(days=params.days)
    recent = files[(pd.to_datetime(files["day"]) >= since) | _came_late(files, since, params)]
    owner = owner_of(owners, "data")
    is_own = recent["source"].isin(sources)
    # No model learns from what the platform lands beside the use case's sources: it must hold none back.
    own, others = recent[is_own], recent[~is_own]
    return [
        *_late(files, now, params, owner),
        *volume_findings(files[files["source"].isin(params.max_hours)], since, params.volume, owner),
        *_rejected(own, params, owner, "data"),
        *_rejected(others, params, owner_of(owners, "platform"), "platform"),
        *_unreadable(own, owner, "data"),
        *_unreadable(others, owner_of(owners, "platform"), "platform"),
        *_misnamed(recent, owner),
        *_warned(recent, owner),
    ]


def _came_late(files: pd.DataFrame, since: pd.Timestamp, params: DataParams) -> "pd.Series[bool]":
    """Whether a day's files came only now; a run that took more days than are looked at built all of them again."""
    days = files.groupby(["source", "taken"])["day"].transform("nunique")
    return (files["taken"] >= since) & (days <= params.days)


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
    judged = recent[recent["lines"] >= params.min_lines]
    odd = judged[judged["quarantined"] > params.max_rejected_share * judged["lines"]]
    for source, days in odd.groupby("source"):
        told = _listed(
            f"{row.quarantined} of {row.lines} on {row.day} ({row.quarantined / row.lines:.1%})"
            for row in rows_of(days)
        )
        reason = (
            f"{source}: too many lines quarantined (at most {params.max_rejected_share:.1%} of a day's): {told}; "
            f"quarantine.lines names the rules"
        )
        # The days are left out here and below: with each further one it would be another alert.
        yield Finding("rejected_lines", "warning", str(source), reason, owner, "days with rejects", about)


def _unreadable(recent: pd.DataFrame, owner: str, about: About) -> Iterator[Finding]:
    for source, days in recent[recent["unreadable"] > 0].groupby("source"):
        told = _listed(f"{row.unreadable} of {row.files} of {row.day}" for row in rows_of(days))
        reason = (
            f"{source}: files rejected as a whole: {told}; ask for them again, ops.ingestion_log names them"
        )
        yield Finding("unreadable_file", "critical", str(source), reason, owner, "rejected files", about)


def _listed(days: Iterable[str]) -> str:
    """The newest days in words, and how many more there are."""
    *more, _ = found = list(days)
    rest = f"; and {len(more) + 1 - _MOST_DAYS} earlier days" if len(found) > _MOST_DAYS else ""
    return f"{'; '.join(found[-_MOST_DAYS:])}{rest}"


def _misnamed(recent: pd.DataFrame, owner: str) -> Iterator[Finding]:
    for source, days in recent[recent["misnamed"].map(len) > 0].groupby("source"):
        names = ", ".join(name for names in days["misnamed"] for name in names)
        reason = (
            f"{names}: not taken, since the name tells no period that has begun; rename what holds lines, remove the "
            f"rest"
        )
        # Whether the source's own lines are missing, its age tells: a foreign file must hold no model back.
        yield Finding("misnamed_file", "warning", str(source), reason, owner, "misnamed files", "platform")


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
