"""What each feature did to one score."""

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

PERMUTATIONS = 50


def contributions(
    model: Any, row: pd.DataFrame, background: pd.DataFrame, seed: int, permutations: int = PERMUTATIONS
) -> "pd.Series[float]":
    """Shapley values of one row, by sampled permutations (Štrumbelj and Kononenko 2014, algorithm 2).

    Each permutation turns a row of the background into the row, one feature after another; what the score gains at a
    feature is that feature's part. The parts of a permutation add up to the difference of the two scores, so the
    result adds up to the score minus the mean score of the rows that were drawn.

    Args:
        model: ``predict(frame) -> probability``.
        row: The row, one.
        background: Rows of the same columns that stand for what is usual.
        seed: Of the permutations.
        permutations: How many.

    Returns:
        Probability by feature, the largest part first.
    """
    draw = np.random.default_rng(seed)
    order = np.array([draw.permutation(row.shape[1]) for _ in range(permutations)])
    start = background.iloc[draw.integers(0, len(background), permutations)].reset_index(drop=True)
    scores = np.asarray(model.predict(_paths(row, start, order)), dtype=np.float64)
    gains = np.diff(scores.reshape(permutations, row.shape[1] + 1), axis=1)
    parts = np.zeros(row.shape[1])
    np.add.at(parts, order.ravel(), gains.ravel())
    found = pd.Series(parts / permutations, index=[str(name) for name in row.columns])
    return found.reindex(found.abs().sort_values(ascending=False, kind="stable").index)


def _paths(row: pd.DataFrame, start: pd.DataFrame, order: NDArray[np.int64]) -> pd.DataFrame:
    """For every permutation the start, then the start with one, two, ... features taken from the row."""
    features = order.shape[1]
    place = np.argsort(order, axis=1)
    is_taken = place[:, None, :] < np.arange(features + 1)[None, :, None]
    flat = is_taken.reshape(-1, features)
    repeated = start.loc[start.index.repeat(features + 1)].reset_index(drop=True)
    return pd.DataFrame(
        {
            name: np.where(flat[:, column], row[name].iloc[0], repeated[name].to_numpy())
            for column, name in enumerate(row.columns)
        }
    )
