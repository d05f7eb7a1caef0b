"""One score, taken apart."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from lakehouse_ml.trace.contributions import contributions
from lakehouse_ml.trace.entity import LandedLine, StoredPrediction

# Of two scores. Other libraries or another machine than those that scored may sum in another order.
SAME = 1e-9


@dataclass(frozen=True)
class Explanation:
    """Why a prediction is what it is.

    Attributes:
        prediction: As stored.
        lines: What was landed about the entity.
        features: Value by feature, as scored.
        parts: Probability by feature, the largest part first; with ``usual`` they add up to the score.
        recomputed: The score, made again.
    """

    prediction: StoredPrediction
    lines: tuple[LandedLine, ...]
    features: "pd.Series[Any]"
    parts: "pd.Series[float]"
    recomputed: float

    @property
    def usual(self) -> float:
        """Mean score of the rows that the parts start from."""
        return self.recomputed - float(self.parts.sum())

    @property
    def is_same(self) -> bool:
        """Whether the score made again is the stored one."""
        return abs(self.recomputed - self.prediction.score) <= SAME

    def was_known(self, line: LandedLine) -> bool:
        """Whether the line could be known when the question was asked, and the run that answered had it."""
        return line.was_there and line.published_at <= self.prediction.predict_at


def explain(
    prediction: StoredPrediction,
    lines: Sequence[LandedLine],
    row: pd.DataFrame,
    model: Any,
    background: Callable[[], pd.DataFrame],
    seed: int,
) -> Explanation:
    """The prediction with its lines, its features and what each of them did.

    Args:
        prediction: As stored.
        lines: See ``lines_about``.
        row: The feature row that was scored, one.
        model: The version that scored it.
        background: The version's golden rows, with ``score``.
        seed: Of the permutations.
    """
    usual = background()[list(row.columns)]
    return Explanation(
        prediction=prediction,
        lines=tuple(lines),
        features=row.iloc[0],
        parts=contributions(model, row, usual, seed),
        recomputed=float(model.predict(row)[0]),
    )
