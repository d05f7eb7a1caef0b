"""Scores and decisions of a model: the one function behind batch inference and the server."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd


class ScoreError(ValueError):
    """A model answered what is no probability; the message names the row."""


def scored(rows: pd.DataFrame, model: Any, feature_names: Sequence[str], threshold: float) -> pd.DataFrame:
    """Every row's score and decision.

    Args:
        rows: Feature rows as gold holds them: ``key`` and at least the features that the model reads.
        model: ``predict(frame) -> probability of the positive class``.
        feature_names: Columns that the model reads.
        threshold: Predicted positive from this score on.

    Returns:
        One row per row, in the same order and with the same index: key, score (float64, 0..1), decision
        (bool, score >= threshold).

    Raises:
        ScoreError: A score is no number in 0..1.
    """
    scores = np.asarray(model.predict(rows[list(feature_names)]), dtype=np.float64)
    odd = np.flatnonzero(~((scores >= 0) & (scores <= 1)))
    if len(odd):
        raise ScoreError(f"No probability for {rows['key'].iloc[odd[0]]}: its score is {scores[odd[0]]}")
    return pd.DataFrame({"key": rows["key"], "score": scores, "decision": scores >= threshold})
