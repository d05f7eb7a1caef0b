"""What a promotion rule says."""

from collections.abc import Callable
from dataclasses import dataclass

from lakehouse_ml.pipelines.promotion.evidence import Evidence
from lakehouse_ml.pipelines.promotion.rule_set import PromotionRules


@dataclass(frozen=True)
class Verdict:
    """What one rule found.

    Attributes:
        rule: Name of the rule.
        passed: Whether the evidence keeps it.
        reason: What was found, in words.
        value: What was measured; None: nothing to measure.
        limit: What it must keep.
        low: Lower end of the value's interval.
        high: Upper end of the value's interval.
    """

    rule: str
    passed: bool
    reason: str
    value: float | None = None
    limit: str | None = None
    low: float | None = None
    high: float | None = None

    def __str__(self) -> str:
        measured = "" if self.value is None else f" {self.value:g}"
        interval = "" if self.low is None or self.high is None else f" [{self.low:g}, {self.high:g}]"
        limit = "" if self.limit is None else f" (must be {self.limit})"
        return (
            f"{'passed' if self.passed else 'FAILED'} {self.rule}:{measured}{interval}{limit} {self.reason}"
        )


Rule = Callable[[Evidence, PromotionRules], Verdict]
