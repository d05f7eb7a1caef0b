"""Rules on the artefact: what a server would get, tried out in a process of its own."""

from collections.abc import Callable

from lakehouse_ml.pipelines.promotion.evidence import Evidence
from lakehouse_ml.pipelines.promotion.rule_set import PromotionRules
from lakehouse_ml.pipelines.promotion.verdict import Verdict
from lakehouse_ml.probe import Probe

ArtefactRule = Callable[[Evidence, PromotionRules, Probe], Verdict]


def artefact_loads(evidence: Evidence, rules: PromotionRules, probe: Probe) -> Verdict:
    """It is safe to load, and a clean process loads it and gets answers."""
    return Verdict("artefact_loads", not probe.fault, probe.fault or "in a clean process")


def artefact_signature(evidence: Evidence, rules: PromotionRules, probe: Probe) -> Verdict:
    """It asks for the features of the contracts, in their order and types, and for nothing else."""
    foreign = sorted(set(probe.inputs) - set(evidence.features))
    absent = sorted(set(evidence.features) - set(probe.inputs))
    found = "; ".join(
        f"{word} {', '.join(f'{name} ({kind})' for name, kind in columns[:5])}"
        for word, columns in (("asks for", foreign), ("leaves out", absent))
        if columns
    )
    passed = probe.inputs == evidence.features
    return Verdict("artefact_signature", passed, found or ("as contracts" if passed else "in another order"))


def artefact_pinned(evidence: Evidence, rules: PromotionRules, probe: Probe) -> Verdict:
    """Every requirement names the very version that is installed."""
    return Verdict("artefact_pinned", not probe.unpinned, ", ".join(probe.unpinned) or "every requirement")


def artefact_small(evidence: Evidence, rules: PromotionRules, probe: Probe) -> Verdict:
    """Files, memory and request stay within the limits of the serving platform."""
    limits = rules.artefact
    sizes = {
        "files": (probe.size_mb, limits.size_mb_max),
        "memory": (probe.memory_mb, limits.memory_mb_max),
        "request": (probe.request_mb, limits.request_mb_max),
    }
    found = ", ".join(f"{name} {value:.3g} MB (at most {most:g})" for name, (value, most) in sizes.items())
    return Verdict("artefact_small", all(value <= most for value, most in sizes.values()), found)


def artefact_answers(evidence: Evidence, rules: PromotionRules, probe: Probe) -> Verdict:
    """Every golden row gets a probability, and so does every harmless request."""
    odd = [f"{probe.odd_scores} scores that are no probability"] if probe.odd_scores else []
    odd += [f"no answer to {name}" for name in probe.choked_on]
    return Verdict("artefact_answers", not odd, "; ".join(odd) or "golden rows, unseen and missing values")


def artefact_refuses(evidence: Evidence, rules: PromotionRules, probe: Probe) -> Verdict:
    """Malformed requests are refused."""
    return Verdict(
        "artefact_refuses", not probe.swallowed, ", ".join(probe.swallowed) or "malformed requests"
    )


def artefact_repeats(evidence: Evidence, rules: PromotionRules, probe: Probe) -> Verdict:
    """The same row gets the same score: again, in another order, and as evaluated."""
    most = rules.artefact.tolerance
    return Verdict(
        "artefact_repeats", probe.difference <= most, "largest difference", probe.difference, f"<= {most:g}"
    )


def artefact_quick(evidence: Evidence, rules: PromotionRules, probe: Probe) -> Verdict:
    """One row is scored within the latency budget."""
    most = rules.artefact.latency_ms_max
    return Verdict(
        "artefact_quick", probe.latency_ms <= most, "ms, 95 % of requests", probe.latency_ms, f"<= {most:g}"
    )


# What a model that could not be tried was not asked.
_ASKED: tuple[ArtefactRule, ...] = (
    artefact_pinned,
    artefact_answers,
    artefact_refuses,
    artefact_repeats,
    artefact_quick,
)
ARTEFACT_RULES: tuple[ArtefactRule, ...] = (artefact_loads, artefact_signature, artefact_small, *_ASKED)


def artefact_verdict(rule: ArtefactRule, evidence: Evidence, rules: PromotionRules, role: str) -> Verdict:
    """What a rule says of a role's artefact.

    Raises:
        KeyError: The artefact was not tried.
    """
    probe = evidence.probes[role]
    if probe.fault and rule in _ASKED:
        return Verdict(rule.__name__, False, f"not asked, since it was not loaded: {probe.fault}")
    return rule(evidence, rules, probe)
