"""What a rule found: the same alert whenever the same thing is found again."""

import hashlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Literal

import pandas as pd

Severity = Literal["info", "warning", "critical"]
SEVERITIES: tuple[Severity, ...] = ("critical", "warning", "info")
RETRAIN = "retrain"
# Every rule that finds something, but for those that the parameters name: of drift.
RULES = (
    *("freshness", "volume", "rejected_lines", "unreadable_file", "misnamed_file", "warned_lines"),
    *("not_a_number", "source_missing", "unseen_category", "stands_still", "scores_alike", "not_scored"),
    *("labels_late", "labels_lost", "outcomes_unlike_scores", "quality", RETRAIN),
)
About = Literal["data", "model", "platform"]

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
        about: What is wrong; while anything about the data is, no model is trained.
    """

    rule: str
    severity: Severity
    subject: str
    reason: str
    owner: str
    evidence: str
    about: About = "model"

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


def found_alerts(*findings: list[Finding]) -> pd.DataFrame:
    """Everything that is found now, the most urgent first: alert_id and the fields of :class:`Finding`."""
    every = {finding.alert_id: finding for group in findings for finding in group}
    ordered = sorted(
        every.items(), key=lambda item: (SEVERITIES.index(item[1].severity), item[1].rule, item[1].subject)
    )
    rows = [{"alert_id": alert_id, **asdict(found)} for alert_id, found in ordered]
    return pd.DataFrame(rows, columns=["alert_id", *(field.name for field in fields(Finding))])
