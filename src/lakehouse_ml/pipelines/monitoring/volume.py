"""Whether each finished day brought about as much as the days before it: a lost file leaves no source late."""

from collections.abc import Iterator

import pandas as pd
from pydantic import Field

from lakehouse_ml.pipelines.monitoring.findings import Finding
from lakehouse_ml.pipelines.monitoring.params import Params


class VolumeParams(Params):
    """How much a day must bring.

    Attributes:
        min_usual_share: Of the median of the days before.
        usual_days: How many days before.
        min_days: Fewer of them that brought anything tell nothing of what is usual.
    """

    min_usual_share: float = Field(gt=0, lt=1)
    usual_days: int = Field(ge=1)
    min_days: int = Field(ge=1)


def volume_findings(
    files: pd.DataFrame, since: pd.Timestamp, params: VolumeParams, owner: str
) -> Iterator[Finding]:
    """A critical finding per source with days that brought nothing, or far less than is usual.

    A day counts once a later one brought something: until then its source is late at most, which is another rule's.

    Args:
        files: ``file_history`` of the sources that are published all the time.
        since: First day that is judged (UTC, without zone).
        params: Limits.
        owner: Who answers.
    """
    for source, own in files[files["accepted"] > 0].groupby("source"):
        by_day = own.set_index(pd.to_datetime(own["day"]))["accepted"].resample("D").sum()
        before = by_day.where(by_day > 0).shift()
        usual = before.rolling(params.usual_days, min_periods=params.min_days).median()
        short = by_day[by_day < params.min_usual_share * usual][since:].drop(
            by_day.index[-1], errors="ignore"
        )
        if not short.empty:
            yield _short(str(source), short, usual, params, owner)


def _short(
    source: str, short: "pd.Series[float]", usual: "pd.Series[float]", params: VolumeParams, owner: str
) -> Finding:
    told = ", ".join(
        f"{lines:.0f} on {day:%Y-%m-%d} (usual: {of_before:.0f})"
        for day, lines, of_before in zip(short.index, short, usual[short.index], strict=True)
    )
    reason = (
        f"{source}: fewer lines than {params.min_usual_share:.0%} of what is usual, {told}; "
        f"ask for the files that are missing, and land them, also late"
    )
    # The days are no evidence: as long as any is short, it is the same finding.
    return Finding("volume", "critical", source, reason, owner, "days short of lines", "data")
