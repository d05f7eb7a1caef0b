"""History and validation folds, in the order of time."""

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pyspark.sql import DataFrame

from lakehouse_ml.lakehouse.on_driver import collected
from lakehouse_ml.lakehouse.run import Run
from lakehouse_ml.pipelines.training.params import EnoughParams, TrainingParams
from lakehouse_ml.pipelines.training.periods import Periods, periods_of

HISTORY = 0
NO_FEATURES = ("key", "predict_date", "predict_at", "label", "label_known_at", "fold")


def split(training_set: DataFrame, run: Run, params: TrainingParams) -> pd.DataFrame:
    """The training rows with the fold that each belongs to.

    Args:
        training_set: One row per key, see there.
        run: The run's now.
        params: ``params:training``.

    Returns:
        The same rows on the driver, by ``predict_at`` and key, times as naive UTC, and ``fold``: 0 is history,
        1, 2, ... the validation folds.

    Raises:
        ValueError: Too few labelled rows, days or positive rows to train.
    """
    periods = periods_of(run.as_of, params)
    rows = with_folds(collected(training_set), periods)
    check_enough(rows, periods, params.enough)
    return rows


def with_folds(rows: pd.DataFrame, periods: Periods) -> pd.DataFrame:
    """Rows by ``predict_at`` and key, with ``fold``; see :func:`split`."""
    starts = pd.to_datetime(list(periods.fold_starts))
    day = pd.to_datetime(rows["predict_date"])
    ordered = rows.assign(predict_date=day, fold=np.searchsorted(starts, day, side="right"))
    return ordered.sort_values(["predict_at", "key"], ignore_index=True)


def check_enough(rows: pd.DataFrame, periods: Periods, enough: EnoughParams) -> None:
    """Compare what there is with what is needed.

    Raises:
        ValueError: Naming every shortage at once.
    """
    days = rows.loc[rows["fold"] == HISTORY, "predict_date"].nunique()
    shortages = []
    if len(rows) < enough.rows:
        shortages.append(f"{len(rows)} labelled rows, needed {enough.rows}")
    if days < enough.days:
        shortages.append(f"{days} days of history before {periods.fold_starts[0]}, needed {enough.days}")
    for fold in range(len(periods.fold_starts) + 1):
        positives = int(rows.loc[rows["fold"] == fold, "label"].sum())
        if positives < enough.positives:
            name = f"validation fold {fold}" if fold else "history"
            shortages.append(f"{positives} positive rows in {name}, needed {enough.positives}")
    if shortages:
        raise ValueError(
            f"Too little to train on before the holdout of {periods.holdout_start} to {periods.holdout_end}: "
            f"{'; '.join(shortages)}. Land more days (`kedro land --until ...`), or lower training.holdout_days, "
            f"training.validation or training.enough."
        )


def feature_names(rows: pd.DataFrame) -> list[str]:
    """The columns of the training rows that models see."""
    return [str(name) for name in rows.columns if name not in NO_FEATURES]


def features_of(rows: pd.DataFrame) -> pd.DataFrame:
    """The features of the rows and nothing else."""
    return rows[feature_names(rows)]


def labels_of(rows: pd.DataFrame) -> NDArray[np.bool_]:
    """Truth, shape (n_rows,)."""
    return rows["label"].to_numpy(dtype=bool)


def validation_folds(rows: pd.DataFrame) -> list[int]:
    """Numbers of the validation folds, in order."""
    return [int(fold) for fold in np.unique(rows["fold"]) if fold != HISTORY]


def known_before(rows: pd.DataFrame, fold: int) -> pd.DataFrame:
    """Rows before a validation fold whose labels were known when it began."""
    start = rows.loc[rows["fold"] == fold, "predict_date"].min()
    return rows[(rows["fold"] < fold) & (rows["label_known_at"] <= start)]


def days_spread_evenly(rows: pd.DataFrame, count: int) -> pd.DataFrame:
    """The rows of some days, spread evenly from the first to the last; all rows when there are no more days."""
    days = np.sort(rows["predict_date"].unique())
    chosen = np.unique(np.linspace(0, len(days) - 1, min(count, len(days))).round().astype(int))
    return rows[rows["predict_date"].isin(days[chosen])]
