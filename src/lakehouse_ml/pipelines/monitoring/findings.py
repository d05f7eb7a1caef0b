"""What a rule found: an alert row that is the same row whenever the same thing is found again."""

import hashlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Literal

import pandas as pd
from pyspark.sql import DataFrame

from lakehouse_ml.lakehouse.run import Run
from lakehouse_ml.lakehouse.tables import ALERTS
from lakehouse_ml.pipelines.monitoring.frames import records_of, rows_of, to_frame

Severity = Literal["info", "warning", "critical"]
SEVERITIES: tuple[Severity, ...] = ("critical", "warning", "info")
RETRAIN = "retrain"

Owners = Mapping[str, str]


@dataclass(frozen=True)
class Finding:
    """One finding.

    Attributes:
        rule: Rule that fired.
        severity: How urgent.
        subject: Feature, source or model version.
        reason: What was found, with values and limits.
        owner: Who acts.
        evidence: What makes it this finding and no other; as long as it lasts, it stays the same.
    """

    rule: str
    severity: Severity
    subject: str
    reason: str
    owner: str
    evidence: str

    @property
    def alert_id(self) -> str:
        """SHA-256 over rule, subject and evidence."""
        return hashlib.sha256("\0".join((self.rule, self.subject, self.evidence)).encode()).hexdigest()


def owner_of(owners: Owners, subject: str) -> str:
    """Who answers for ``data``, ``model`` or ``platform``.

    Raises:
        ValueError: The use case names nobody.
    """
    if not owners.get(subject):
        raise ValueError(
            f"owners: nobody answers for {subject!r}; name one in the use case's owners, has {dict(owners)}"
        )
    return owners[subject]


def open_alerts(run: Run, *findings: list[Finding]) -> pd.DataFrame:
    """Everything that is found now, the most urgent first: columns of ``ops.alerts``."""
    every = {finding.alert_id: finding for group in findings for finding in group}
    rows = [
        {"alert_id": alert_id, **asdict(found), "run_id": run.run_id, "as_of": run.as_of}
        for alert_id, found in sorted(
            every.items(),
            key=lambda item: (SEVERITIES.index(item[1].severity), item[1].rule, item[1].subject),
        )
    ]
    return pd.DataFrame(rows, columns=list(ALERTS.names))


def record_alerts(alerts: pd.DataFrame, before: DataFrame) -> DataFrame:
    """The alerts as rows of ``ops.alerts``; those that are on record already stay as they were first found.

    Args:
        alerts: See :func:`open_alerts`.
        before: ``ops.alerts`` before this run.
    """
    known = {row.alert_id for row in rows_of(before.select("alert_id").toPandas())}
    rows = [row for row in records_of(alerts) if row["alert_id"] not in known]
    return to_frame(before, ({**row, "as_of": row["as_of"].to_pydatetime()} for row in rows), ALERTS)
