"""Single rows of the holdout: the ones to try an artefact with, and the ones that a new model gets wrong."""

import numpy as np
import pandas as pd

from lakehouse_ml.pipelines.evaluation.models import CHAMPION, Measured

# Enough to meet every airport and most airlines, in one request.
GOLDEN_ROWS = 200
BASELINE = "baseline"


def golden_rows(
    holdout_rows: pd.DataFrame,
    scores: pd.DataFrame,
    models: dict[str, Measured],
    *,
    features: tuple[str, ...],
) -> dict[str, pd.DataFrame]:
    """Rows spread evenly over the holdout, with the score that each model gave them, by the model's digest.

    Args:
        holdout_rows: See ``holdout``.
        scores: See ``score``.
        models: See ``compared_models``.
        features: Columns that models read.

    Returns:
        By digest: the features, and ``score`` as evaluated, 0..1.
    """
    places = np.unique(np.linspace(0, len(holdout_rows) - 1, GOLDEN_ROWS).astype(int))
    rows = holdout_rows.iloc[places][list(features)].reset_index(drop=True)
    return {
        model.digest: rows.assign(score=scores[role].to_numpy()[places]) for role, model in models.items()
    }


def newly_wrong(
    holdout_rows: pd.DataFrame, scores: pd.DataFrame, models: dict[str, Measured]
) -> pd.DataFrame:
    """What a candidate decides wrongly and the champion, or before there is one the baseline, decided rightly.

    Args:
        holdout_rows: See ``holdout``.
        scores: See ``score``.
        models: See ``compared_models``.

    Returns:
        One row per key and candidate: key, role, compared_to, label, score, other_score, by the size of the change.
    """
    other = CHAMPION if CHAMPION in models else BASELINE
    parts = [_newly_wrong(holdout_rows, scores, models, role, other) for role in models if role != other]
    return pd.concat(parts, ignore_index=True)


def _newly_wrong(
    rows: pd.DataFrame, scores: pd.DataFrame, models: dict[str, Measured], role: str, other: str
) -> pd.DataFrame:
    label = rows["label"].to_numpy(dtype=bool)
    is_wrong, was_wrong = (
        (scores[name].to_numpy() >= models[name].threshold) != label for name in (role, other)
    )
    found = pd.DataFrame(
        {
            "key": rows["key"],
            "role": role,
            "compared_to": other,
            "label": label,
            "score": scores[role],
            "other_score": scores[other],
        }
    )[is_wrong & ~was_wrong]
    change = (found["score"] - found["other_score"]).abs().sort_values(ascending=False, kind="stable")
    return found.loc[change.index].reset_index(drop=True)
