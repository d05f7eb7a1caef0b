"""Rules on the data: what the models learned from and are judged on came in whole, clean and in time."""

from lakehouse_ml.pipelines.promotion.evidence import Evidence
from lakehouse_ml.pipelines.promotion.rule_set import PromotionRules
from lakehouse_ml.pipelines.promotion.verdict import Rule, Verdict


def log_in_balance(evidence: Evidence, rules: PromotionRules) -> Verdict:
    """Every landed line of every file is accepted, a duplicate or quarantined."""
    files, odd = evidence.data.files, evidence.data.unbalanced
    found = f"of {files} files{': ' if odd else ''}{', '.join(odd[:5])}"
    return Verdict("log_in_balance", files > 0 and not odd, found, len(odd), "<= 0")


def few_rejected(evidence: Evidence, rules: PromotionRules) -> Verdict:
    """Few of any source's lines were rejected, of those that the models learned from and are judged on.

    Raises:
        ValueError: No line landed.
    """
    landed, most = evidence.data.landed, rules.data.rejected_max
    window = f"{evidence.data.learned_from} to {evidence.as_of:%Y-%m-%d %H:%M}"
    if not landed:
        raise ValueError(f"no line landed from {window}")
    # A small source that is rejected as a whole would drown in the lines of the large ones.
    worst = max(landed, key=lambda source: source.rejected)
    found = f"{worst.source}: {worst.quarantined} of {worst.lines} lines, {window}"
    return Verdict("few_rejected", worst.rejected <= most, found, worst.rejected, f"<= {most:g}")


def data_fresh(evidence: Evidence, rules: PromotionRules) -> Verdict:
    """Every source that has a limit is as new as it allows, at the deciding run's now."""
    newest, limits = dict(evidence.data.newest), rules.data.max_hours
    absent = sorted(set(limits) - set(newest))
    if absent:
        return Verdict("data_fresh", False, f"no data of {', '.join(absent)}")
    hours = {source: (evidence.as_of - newest[source]).total_seconds() / 3600 for source in sorted(limits)}
    late = [f"{source} is {age:.0f} h old" for source, age in hours.items() if age > limits[source]]
    worst = max(hours, key=lambda source: hours[source] / limits[source])
    found = ", ".join(late) or worst
    return Verdict("data_fresh", not late, f"hours, {found}", hours[worst], f"<= {limits[worst]:g}")


def no_open_data_alert(evidence: Evidence, rules: PromotionRules) -> Verdict:
    """No alert about the data is open that a new model does not answer, and no recent file is rejected as a whole."""
    answered = rules.data.answered_by_training
    alerts = [f"{rule} ({subject})" for rule, subject in evidence.data.open_alerts if rule not in answered]
    files = evidence.data.rejected_files
    found = ", ".join([*alerts[:5], *files[:5]]) or "every recent file could be read"
    return Verdict("no_open_data_alert", not alerts and not files, found, len(alerts) + len(files), "<= 0")


DATA_RULES: tuple[Rule, ...] = (log_in_balance, few_rejected, data_fresh, no_open_data_alert)
