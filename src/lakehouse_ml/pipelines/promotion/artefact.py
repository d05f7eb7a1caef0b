"""Rules on the artefact: what a server would get, tried out in a process of its own."""

from collections.abc import Callable

from lakehouse_ml.pipelines.promotion.evidence import Evidence
from lakehouse_ml.pipelines.promotion.rule_set import PromotionRules
from lakehouse_ml.pipelines.promotion.verdict import Verdict

ArtefactRule = Callable[[Evidence, PromotionRules, str], Verdict]
_NAMED = 5


def artefact_loads(evidence: Evidence, rules: PromotionRules, role: str) -> Verdict:
    """It is safe to load, and a clean process loads it and gets answers."""
    fault = evidence.probes[role].fault
    return Verdict("artefact_loads", not fault, fault or "in a clean process")


def artefact_signature(evidence: Evidence, rules: PromotionRules, role: str) -> Verdict:
    """It asks for the features of the contracts, in their order and types, and for nothing else."""
    inputs = evidence.probes[role].inputs
    foreign = sorted(set(inputs) - set(evidence.features))
    absent = sorted(set(evidence.features) - set(inputs))
    found = "; ".join(
        f"{word} {', '.join(f'{name} ({kind})' for name, kind in columns[:_NAMED])}"
        for word, columns in (("asks for", foreign), ("leaves out", absent))
        if columns
    )
    passed = inputs == evidence.features
    return Verdict("artefact_signature", passed, found or ("as contracts" if passed else "in another order"))


def artefact_facts(evidence: Evidence, rules: PromotionRules, role: str) -> Verdict:
    """Its files say about its training what training declared: it is served as it was evaluated."""
    said = dict(evidence.probes[role].facts)
    odd = [
        f"{name} is {said.get(name, 'absent')}, declared was {declared}"
        for name, declared in evidence.trained.facts(role).items()
        if said.get(name) != declared
    ]
    return Verdict("artefact_facts", not odd, "; ".join(odd) or "as declared")


def artefact_pinned(evidence: Evidence, rules: PromotionRules, role: str) -> Verdict:
    """Every requirement names the very version that is installed, and no needed one is absent."""
    odd = evidence.probes[role].unpinned
    return Verdict("artefact_pinned", not odd, ", ".join(odd) or "every requirement")


def artefact_size(evidence: Evidence, rules: PromotionRules, role: str) -> Verdict:
    """Its files stay within the limit of the serving platform."""
    return _at_most(
        "artefact_size", evidence.probes[role].size_mb, rules.artefact.size_mb_max, "MB, all files"
    )


def artefact_memory(evidence: Evidence, rules: PromotionRules, role: str) -> Verdict:
    """A process that serves it stays within the memory of the serving platform."""
    return _at_most(
        "artefact_memory", evidence.probes[role].memory_mb, rules.artefact.memory_mb_max, "MB at most held"
    )


def artefact_request(evidence: Evidence, rules: PromotionRules, role: str) -> Verdict:
    """A request with all golden rows stays within the limit of the serving platform."""
    return _at_most(
        "artefact_request", evidence.probes[role].request_mb, rules.artefact.request_mb_max, "MB, golden rows"
    )


def artefact_answers(evidence: Evidence, rules: PromotionRules, role: str) -> Verdict:
    """Every golden row gets a probability, and so does every harmless request."""
    probe = evidence.probes[role]
    odd = [f"{probe.odd_scores} scores that are no probability"] if probe.odd_scores else []
    odd += [f"no answer to {name}" for name in probe.choked_on]
    return Verdict("artefact_answers", not odd, "; ".join(odd) or "golden rows, unseen and missing values")


def artefact_refuses(evidence: Evidence, rules: PromotionRules, role: str) -> Verdict:
    """Malformed requests are refused."""
    found = evidence.probes[role].swallowed
    named = ", ".join(found[:_NAMED])
    return Verdict(
        "artefact_refuses",
        not found,
        f"answered: {named}" if found else "malformed requests",
        len(found),
        "<= 0",
    )


def artefact_repeats(evidence: Evidence, rules: PromotionRules, role: str) -> Verdict:
    """The same row gets the same score: again, in another order, and as evaluated."""
    return _at_most(
        "artefact_repeats", evidence.probes[role].difference, rules.artefact.tolerance, "largest difference"
    )


def artefact_quick(evidence: Evidence, rules: PromotionRules, role: str) -> Verdict:
    """One row is scored within the latency budget."""
    return _at_most(
        "artefact_quick",
        evidence.probes[role].latency_ms,
        rules.artefact.latency_ms_max,
        "ms, 95 % of requests",
    )


def _at_most(rule: str, value: float, most: float, what: str) -> Verdict:
    return Verdict(rule, value <= most, what, value, f"<= {most:g}")


# What a model that could not be tried was not asked.
_ASKED: tuple[ArtefactRule, ...] = (
    artefact_pinned,
    artefact_memory,
    artefact_request,
    artefact_answers,
    artefact_refuses,
    artefact_repeats,
    artefact_quick,
)
ARTEFACT_RULES: tuple[ArtefactRule, ...] = (
    artefact_loads,
    artefact_signature,
    artefact_facts,
    artefact_size,
    *_ASKED,
)


def artefact_verdict(rule: ArtefactRule, evidence: Evidence, rules: PromotionRules, role: str) -> Verdict:
    """What a rule says of a role's artefact.

    Raises:
        KeyError: The artefact was not tried.
    """
    fault = evidence.probes[role].fault
    if fault and rule in _ASKED:
        return Verdict(rule.__name__, False, f"not asked, since it was not loaded: {fault}")
    return rule(evidence, rules, role)
