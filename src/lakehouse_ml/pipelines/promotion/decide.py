"""The decision: every rule's verdict over the evidence, and what follows from them."""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import partial
from typing import Literal

from lakehouse_ml.pipelines.promotion.evidence import CHAMPION, Evidence, canonical, fingerprint
from lakehouse_ml.pipelines.promotion.rule_set import PromotionRules
from lakehouse_ml.pipelines.promotion.rules import (
    BASELINE,
    CHALLENGER,
    EVIDENCE_RULES,
    Verdict,
    beats,
    keeps_floor,
)


@dataclass(frozen=True)
class Decision:
    """What becomes of the candidates, and why.

    Attributes:
        outcome: ``promoted`` or ``refused``.
        elected: Role of the better candidate; None when the comparison itself failed.
        election: How the challenger did against the baseline; failing it elects the baseline.
        verdicts: Every rule; one that failed refuses.
        evidence: What the decision rests on.
        record: JSON of evidence, rule set and verdicts: equal for equal evidence.
        evidence_hash: SHA-256 of the record.
    """

    outcome: Literal["promoted", "refused"]
    elected: str | None
    election: Verdict
    verdicts: tuple[Verdict, ...]
    evidence: Evidence
    record: str
    evidence_hash: str

    @property
    def is_promoted(self) -> bool:
        """Whether the elected model becomes the champion."""
        return self.outcome == "promoted"

    @property
    def reasons(self) -> list[str]:
        """Every rule in words: the failed ones first."""
        ordered = sorted(self.verdicts, key=lambda verdict: verdict.passed)
        return [f"elected {self.elected or 'none'}: {self.election}", *(str(v) for v in ordered)]


def decide(evidence: Evidence, rules: PromotionRules) -> Decision:
    """Promote the elected model or refuse it, with every rule's verdict; the same evidence gives the same.

    A rule that raises has failed. Elected is the challenger when it beats the baseline, else the baseline;
    the elected model is promoted when no rule failed.

    Args:
        evidence: See :func:`gather_evidence`.
        rules: The environment's rule set.
    """
    verdicts = [_settle(rule.__name__, partial(rule, evidence, rules)) for rule in EVIDENCE_RULES]
    election = _settle("beats_baseline", partial(beats, evidence, rules, CHALLENGER, BASELINE))
    # A comparison that could not be made elects nobody, rather than the baseline.
    elected = None if election.value is None else CHALLENGER if election.passed else BASELINE
    verdicts += _judge(evidence, rules, elected)
    record = canonical(
        {
            "evidence": evidence.plain,
            "rules": rules.model_dump(mode="json"),
            "election": asdict(election),
            "verdicts": [asdict(verdict) for verdict in verdicts],
        }
    )
    outcome: Literal["promoted", "refused"] = "promoted" if all(v.passed for v in verdicts) else "refused"
    return Decision(outcome, elected, election, tuple(verdicts), evidence, record, fingerprint(record))


def _judge(evidence: Evidence, rules: PromotionRules, elected: str | None) -> list[Verdict]:
    if elected is None:
        return [
            Verdict("elected", False, "no model is elected: challenger and baseline could not be compared")
        ]
    floors = [
        _settle(f"floor_{metric}", partial(keeps_floor, evidence, rules, elected, metric))
        for metric in sorted(rules.floors)
    ]
    if evidence.incumbent is None:
        return [*floors, Verdict("beats_champion", True, "not applied: there is no champion yet")]
    return [*floors, _settle("beats_champion", partial(beats, evidence, rules, elected, CHAMPION))]


def _settle(name: str, rule: Callable[[], Verdict]) -> Verdict:
    try:
        return rule()
    except Exception as error:
        # A rule that cannot be applied refuses, and says so; it must not stop the others from being recorded.
        return Verdict(name, False, f"raised {error!r}")
