"""Rules on the data: what the models learned from and are judged on came in whole, clean and in time."""

from lakehouse_ml.pipelines.promotion.evidence import Evidence
from lakehouse_ml.pipelines.promotion.rule_set import PromotionRules
from lakehouse_ml.pipelines.promotion.verdict import Rule, Verdict


def log_in_balance(evidence: Evidence, rules: PromotionRules) -> Verdict:
    """Every landed line of every file is accepted, a duplicate or quarantined."""
    files, odd = evidence.data.files, evidence.data.unbalanced
    found = f"{len(odd)} of {files} files: {', '.join(odd[:5])}" if odd else f"{files} files"
    return Verdict("log_in_balance", files > 0 and not odd, found)


def few_rejected(evidence: Evidence, rules: PromotionRules) -> Verdict:
    """Few of the landed lines were rejected."""
    lines, most = evidence.data.lines, rules.data.rejected_max
    share = evidence.data.quarantined / lines if lines else 1.0
    return Verdict("few_rejected", share <= most, f"of {lines} lines", share, f"<= {most:g}")


def data_fresh(evidence: Evidence, rules: PromotionRules) -> Verdict:
    """Every source that has a limit is as new as it allows, at the deciding run's now."""
    newest, late = dict(evidence.data.newest), []
    for source, limit in sorted(rules.data.max_hours.items()):
        end = newest.get(source)
        hours = None if end is None else (evidence.as_of - end).total_seconds() / 3600
        if hours is None or hours > limit:
            late.append(
                f"{source}: {'no data' if hours is None else f'{hours:.0f} h old'}, at most {limit:g} h"
            )
    return Verdict("data_fresh", not late, "; ".join(late) or f"{', '.join(sorted(rules.data.max_hours))}")


def no_open_data_alert(evidence: Evidence, rules: PromotionRules) -> Verdict:
    """No alert about the data is open that a new model does not answer, and no recent file is rejected as a whole."""
    answered = rules.data.answered_by_training
    alerts = [f"{rule} ({subject})" for rule, subject in evidence.data.open_alerts if rule not in answered]
    odd = [*alerts[:5], *evidence.data.rejected_files[:5]]
    clear = "no alert about the data is open, every recent file could be read"
    return Verdict("no_open_data_alert", not odd, ", ".join(odd) or clear)


DATA_RULES: tuple[Rule, ...] = (log_in_balance, few_rejected, data_fresh, no_open_data_alert)
