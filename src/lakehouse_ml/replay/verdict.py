"""What the comparison says, in words."""

from lakehouse_ml.metrics import is_higher_better
from lakehouse_ml.replay.comparison import REFERENCE, Comparison

METRIC = "average_precision"


def verdict(comparison: Comparison) -> str:
    """Each policy against never retraining, on the primary metric and on cost."""
    others = [policy for policy in comparison.stories if policy != REFERENCE]
    if REFERENCE not in comparison.stories or not others:
        return f"Only {', '.join(comparison.stories)} was played: there is nothing to compare with."
    return " ".join(_against_never(comparison, policy) for policy in others)


def _against_never(comparison: Comparison, policy: str) -> str:
    precision, cost = (judged(comparison, policy, metric) for metric in (METRIC, "cost"))
    row = comparison.overall(policy, METRIC)
    found = f"{row['difference']:+.4f} [{row['difference_low']:+.4f}, {row['difference_high']:+.4f}]"
    return f"{policy.capitalize()} is {precision} never retraining by average precision ({found}) and {cost} by cost."


def judged(comparison: Comparison, policy: str, metric: str) -> str:
    """``better than``, ``worse than``, or ``not told apart from``: by the interval of the difference."""
    row = comparison.overall(policy, metric)
    low, high = row["difference_low"], row["difference_high"]
    if low > 0 or high < 0:
        return "better than" if (low > 0) == is_higher_better(metric) else "worse than"
    return "not told apart from"
