"""Rules on quality: what the elected model is worth on the holdout, as a whole and in its parts."""

import math

from lakehouse_ml.pipelines.promotion.evidence import BASELINE, CHAMPION, Evidence, Measurement
from lakehouse_ml.pipelines.promotion.rule_set import Limit, PromotionRules
from lakehouse_ml.pipelines.promotion.rules import numbers
from lakehouse_ml.pipelines.promotion.verdict import Verdict


def beats(evidence: Evidence, rules: PromotionRules, role: str, other: str) -> Verdict:
    """Whether a model is better than another on the common holdout, by more than luck of a few days.

    Raises:
        ValueError: The difference is not there, or not finite.
    """
    margin = rules.margin
    value, low, high = numbers(evidence, role, margin.metric, other)
    return Verdict(
        rule=f"beats_{other}",
        passed=value > margin.above and low > margin.low_above,
        reason=f"{role} minus {other}, {margin.metric}",
        value=value,
        limit=f"> {margin.above:g}, lower end > {margin.low_above:g}",
        low=low,
        high=high,
    )


def keeps_limit(evidence: Evidence, role: str, rule: str, metric: str, limit: Limit) -> Verdict:
    """Whether the model's metric keeps a limit of its own.

    Raises:
        ValueError: The metric is not there, or not finite.
    """
    value, low, high = numbers(evidence, role, metric)
    return Verdict(rule, limit.allows(value), role, value, str(limit), low, high)


def not_worse(evidence: Evidence, rules: PromotionRules, role: str, metric: str) -> Verdict:
    """Whether a metric that is to be low is not higher than the other model's, by more than a margin.

    Raises:
        ValueError: The difference is not there, or not finite.
    """
    other, most = reference_of(evidence, role), rules.not_worse[metric]
    name = f"not_worse_{metric}"
    if other is None:
        return Verdict(name, True, f"not applied: {role} is compared to nothing")
    value, low, high = numbers(evidence, role, metric, other)
    return Verdict(name, value <= most, f"{role} minus {other}", value, f"<= {most:g}", low, high)


def reference_of(evidence: Evidence, role: str) -> str | None:
    """What a model is held against: the champion, before there is one the baseline, and itself never."""
    if evidence.incumbent is not None:
        return CHAMPION
    return None if role == BASELINE else BASELINE


def slices_keep_up(evidence: Evidence, rules: PromotionRules, role: str) -> Verdict:
    """No slice with enough rows and days surely falls behind the champion by more than the margin.

    Raises:
        ValueError: A difference is not defined on a slice or was not measured there, or no slice was measured.
    """
    name, limits, other = "slices_keep_up", rules.slices, reference_of(evidence, role)
    if other is None:
        return Verdict(name, True, f"not applied: {role} is compared to nothing")
    wanted = (role, other, limits.metric)
    enough = _large_slices(evidence, rules)
    slices = [m for m in enough if (m.role, m.compared_to, m.metric) == wanted]
    slices.sort(key=lambda m: (m.slice, m.slice_value))
    own = {f"{m.slice} {m.slice_value}" for m in enough if m.role == role and not m.compared_to}
    if absent := sorted(own - {f"{m.slice} {m.slice_value}" for m in slices}):
        raise ValueError(f"{', '.join(absent)}: {role} is not compared with {other} by {limits.metric}")
    if not slices:
        raise ValueError(
            f"no slice of {limits.rows_min} rows and {limits.days_min} days compares {role} with {other} by "
            f"{limits.metric}"
        )
    behind = [m for m in slices if _difference(m) < -limits.margin and float(m.high or 0.0) < 0]
    worst = min(slices, key=_difference)
    found = ", ".join(f"{m.slice} {m.slice_value} by {-_difference(m):.3g}" for m in behind)
    text = (
        f"behind {other}: {found}" if found else f"worst of {len(slices)}: {worst.slice} {worst.slice_value}"
    )
    return Verdict(
        name,
        not behind,
        text,
        _difference(worst),
        f">= {-limits.margin:g}, or its interval reaches 0",
        worst.low,
        worst.high,
    )


def _large_slices(evidence: Evidence, rules: PromotionRules) -> list[Measurement]:
    """Every number of these very models on the slices that have a say."""
    limits = rules.slices
    found = (m for m in evidence.measurements if not m.is_overall and evidence.concerns(m))
    return [m for m in found if m.rows >= limits.rows_min and m.days >= limits.days_min]


def _difference(measured: Measurement) -> float:
    value = measured.value
    if value is None or measured.high is None or not math.isfinite(value):
        raise ValueError(f"{measured.slice} {measured.slice_value}: {measured.metric} is not defined")
    return value
