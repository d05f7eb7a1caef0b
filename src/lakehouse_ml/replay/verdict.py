"""What the comparison says, in words."""

import pandas as pd

from lakehouse_ml.metrics import is_higher_better
from lakehouse_ml.replay.comparison import Comparison, pairs
from lakehouse_ml.replay.figures import signed

# What decides between two policies, and what must not say the opposite.
METRICS = {"average_precision": "average precision", "cost": "cost"}


def verdict(comparison: Comparison) -> str:
    """Each pair of policies, on the primary metric and on cost."""
    found = [_compared(comparison, *pair) for pair in pairs(comparison.stories)]
    return (
        " ".join(found)
        or f"Only {', '.join(comparison.stories)} was played: there is nothing to compare with."
    )


def _compared(comparison: Comparison, policy: str, minus: str) -> str:
    rows = {metric: comparison.difference(policy, minus, metric) for metric in METRICS}
    found = (f"{METRICS[metric]} {signed(row)}, {judged(row)}" for metric, row in rows.items())
    return f"{policy.capitalize()} against {minus}: {'; '.join(found)}."


def judged(difference: "pd.Series") -> str:
    """``better``, ``worse``, or ``not told apart``: by the interval of a row of differences."""
    if difference["low"] > 0 or difference["high"] < 0:
        return "better" if (difference["low"] > 0) == is_higher_better(difference["metric"]) else "worse"
    return "not told apart"
