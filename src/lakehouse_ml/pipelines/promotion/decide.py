"""The decision: every rule's verdict over the evidence, and what follows from them."""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import partial
from typing import Literal

from lakehouse_ml.pipelines.promotion.artefact import ARTEFACT_RULES, artefact_verdict
from lakehouse_ml.pipelines.promotion.data import DATA_RULES
from lakehouse_ml.pipelines.promotion.evidence import (
    BASELINE,
    CHALLENGER,
    CHAMPION,
    Evidence,
    canonical,
    fingerprint,
)
from lakehouse_ml.pipelines.promotion.quality import beats, keeps_limit, not_worse, slices_keep_up
from lakehouse_ml.pipelines.promotion.rule_set import PromotionRules
from lakehouse_ml.pipelines.promotion.rules import EVIDENCE_RULES
from lakehouse_ml.pipelines.promotion.verdict import Verdict

Outcome = Literal["promoted", "awaiting_approval", "refused"]
_NOBODY = Verdict(
    "elected",
    False,
    f"no model is elected: challenger and baseline could not be compared; judged was the {CHALLENGER}",
)


@dataclass(frozen=True)
class Decision:
    """What becomes of the candidates, and why.

    Attributes:
        outcome: ``promoted``, ``refused``, or ``awaiting_approval`` where a person has the last word.
        elected: Role of the better candidate; None when the comparison itself failed.
        election: How the challenger did against the baseline; failing it elects the baseline.
        verdicts: Every rule; one that failed refuses.
        evidence: What the decision rests on.
        record: JSON of evidence, rule set and verdicts: equal for equal evidence.
        evidence_hash: SHA-256 of the record.
    """

    outcome: Outcome
    elected: str | None
    election: Verdict
    verdicts: tuple[Verdict, ...]
    evidence: Evidence
    record: str
    evidence_hash: str

    @property
    def is_passed(self) -> bool:
        """Whether no rule failed, so that the elected model becomes a version of the registry."""
        return self.outcome != "refused"

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
    verdicts = [
        _settle(rule.__name__, partial(rule, evidence, rules)) for rule in (*EVIDENCE_RULES, *DATA_RULES)
    ]
    election = _settle("beats_baseline", partial(beats, evidence, rules, CHALLENGER, BASELINE))
    # A comparison that could not be made elects nobody, rather than the baseline.
    elected = None if election.value is None else CHALLENGER if election.passed else BASELINE
    # Whoever is refused without an election is told all the same what else is wrong.
    verdicts += _judge(evidence, rules, elected or CHALLENGER)
    verdicts += [] if elected else [_NOBODY]
    record = canonical(
        {
            "evidence": evidence.plain,
            "rules": rules.model_dump(mode="json"),
            "election": asdict(election),
            "verdicts": [asdict(verdict) for verdict in verdicts],
        }
    )
    return Decision(
        _outcome(verdicts, rules), elected, election, tuple(verdicts), evidence, record, fingerprint(record)
    )


def _judge(evidence: Evidence, rules: PromotionRules, role: str) -> list[Verdict]:
    asked = [
        *_copy_verdicts(evidence, role),
        *_limit_verdicts(evidence, rules, role),
        *(
            _settle(f"not_worse_{metric}", partial(not_worse, evidence, rules, role, metric))
            for metric in sorted(rules.not_worse)
        ),
        _settle("slices_keep_up", partial(slices_keep_up, evidence, rules, role)),
        *(
            _settle(rule.__name__, partial(artefact_verdict, rule, evidence, rules, role))
            for rule in ARTEFACT_RULES
        ),
    ]
    if evidence.incumbent is None:
        return [*asked, Verdict("beats_champion", True, "not applied: there is no champion yet")]
    return [*asked, _settle("beats_champion", partial(beats, evidence, rules, role, CHAMPION))]


def _copy_verdicts(evidence: Evidence, role: str) -> list[Verdict]:
    if evidence.trained.copied_digest is None:
        return []
    return [_settle("elected_is_the_copied", partial(_is_the_copied, evidence, role))]


def _is_the_copied(evidence: Evidence, role: str) -> Verdict:
    """A copy is asked for by its version: the model that was trained beside it must not be promoted in its place."""
    wanted, found = evidence.trained.copied_digest, evidence.digests[role]
    told = (
        f"{evidence.trained.copied_from} has digest {str(wanted)[:12]}, elected here is {role}, {found[:12]}"
    )
    return Verdict("elected_is_the_copied", found == wanted, told)


def _limit_verdicts(evidence: Evidence, rules: PromotionRules, role: str) -> list[Verdict]:
    limits = [(f"floor_{metric}", metric, limit) for metric, limit in sorted(rules.floors.items())]
    limits += [(f"ceiling_{metric}", metric, limit) for metric, limit in sorted(rules.ceilings.items())]
    return [
        _settle(name, partial(keeps_limit, evidence, role, name, metric, limit))
        for name, metric, limit in limits
    ]


def _outcome(verdicts: list[Verdict], rules: PromotionRules) -> Outcome:
    if not verdicts or not all(verdict.passed is True for verdict in verdicts):
        return "refused"
    return "awaiting_approval" if rules.approval.required else "promoted"


def _settle(name: str, rule: Callable[[], Verdict]) -> Verdict:
    try:
        return rule()
    except Exception as error:
        # A rule that cannot be applied refuses, and says so; it must not stop the others from being recorded.
        return Verdict(name, False, f"raised {error!r}")
