"""The same rows scored by every model."""

import logging

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lakehouse_ml.pipelines.evaluation.models import CHAMPION, Measured

_log = logging.getLogger(__name__)


def score(holdout_rows: pd.DataFrame, models: dict[str, Measured]) -> pd.DataFrame:
    """Scores of every model on the holdout.

    Args:
        holdout_rows: See ``holdout``.
        models: See ``compared_models``.

    Returns:
        One row per holdout row, in the same order, and a column per role: probability, 0..1. A candidate may answer
        NaN; its metrics are then undefined, and promotion refuses it. So it is with one that cannot score the rows, or
        answers what is no probability: every score is NaN.

    Raises:
        RuntimeError: The champion cannot score the rows, or answers what is no probability.
    """
    return pd.DataFrame({role: _scores_or_none(model, holdout_rows) for role, model in models.items()})


def _scores_or_none(model: Measured, rows: pd.DataFrame) -> NDArray[np.float64]:
    try:
        return _scores(model, rows)
    except RuntimeError as error:
        if model.role == CHAMPION:
            raise
        _log.warning("%s: it has no score, and will be refused", error)
        return np.full(len(rows), np.nan)


def _scores(model: Measured, rows: pd.DataFrame) -> NDArray[np.float64]:
    named = f"{model.role} (digest {model.digest[:12]})"
    try:
        found = np.asarray(model.model.predict(rows), dtype=np.float64)
    except Exception as error:
        raise RuntimeError(f"{named} cannot score the holdout: {error!r}{_way_out(model)}") from error
    if found.shape != (len(rows),):
        raise RuntimeError(f"{named} answers shape {found.shape} for {len(rows)} rows{_way_out(model)}")
    is_odd = ~np.isfinite(found)
    if model.role == CHAMPION and is_odd.any():
        raise RuntimeError(f"{named} answers {is_odd.sum()} scores that are no number{_way_out(model)}")
    if ((found[~is_odd] < 0) | (found[~is_odd] > 1)).any():
        raise RuntimeError(f"{named} answers scores outside 0..1{_way_out(model)}")
    return found


def _way_out(model: Measured) -> str:
    is_champion = model.role == CHAMPION
    return "; it must be taken back or replaced before anything is compared to it" if is_champion else ""
