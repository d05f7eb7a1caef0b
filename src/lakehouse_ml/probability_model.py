"""The model that is logged, registered and served: it predicts the probability of the positive class."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pandas.api.types import is_bool_dtype, is_numeric_dtype
from sklearn.base import BaseEstimator, clone

# Histogram boosting takes at most 255 categories of a feature.
MAX_CATEGORIES = 200
# Matrix products take rows in groups of 4 to 16, and those left over at the end another way, which may differ in the
# last bit: a batch is filled up, so that no row's probability depends on how many stand beside it.
ROWS_AT_ONCE = 16


class ProbabilityModel(BaseEstimator):
    """A classifier that takes feature rows as they are stored and answers probabilities.

    Strings become categories that are fixed when it is fitted: one that was not seen then, or is rare, counts
    as missing. Missing values may be None or NaN, columns may stand in any order, and others are ignored.

    Args:
        classifier: Unfitted scikit-learn classifier over float64 and category columns.
    """

    def __init__(self, classifier: Any) -> None:
        self.classifier = classifier

    def fit(self, frame: pd.DataFrame, label: NDArray[np.bool_]) -> "ProbabilityModel":
        """Fit on feature rows.

        Args:
            frame: The features and nothing else: numbers, booleans and strings.
            label: Truth, shape (n_rows,).
        """
        self.feature_names_ = [str(name) for name in frame.columns]
        self.categories_ = {
            name: _categories(frame[name]) for name in self.feature_names_ if _is_text(frame[name])
        }
        self.classifier_ = clone(self.classifier).fit(self.prepared(frame), label)
        return self

    def predict(self, frame: pd.DataFrame) -> NDArray[np.float64]:
        """Probability of the positive class, float64, shape (n_rows,); each row's is the same in any batch.

        Raises:
            ValueError: A feature is missing, or holds what is not a number.
        """
        found = self.classifier_.predict_proba(self.prepared(_filled_up(frame)))
        return np.asarray(found[: len(frame), 1], dtype=np.float64)

    def staged(self, frame: pd.DataFrame) -> Iterator[NDArray[np.float64]]:
        """Probabilities after each boosting round, of a classifier that has rounds."""
        for probabilities in self.classifier_.staged_predict_proba(self.prepared(frame)):
            yield probabilities[:, 1]

    def prepared(self, frame: pd.DataFrame) -> pd.DataFrame:
        """The features in the order of the fit, numbers as float64 and strings as category.

        Raises:
            ValueError: A feature is missing, or holds what is not a number.
        """
        missing = [name for name in self.feature_names_ if name not in frame.columns]
        if missing:
            raise ValueError(f"The model needs columns that the frame lacks: {', '.join(missing)}")
        return pd.DataFrame(
            {name: self._column(frame[name]) for name in self.feature_names_}, index=frame.index
        )

    def _column(self, values: "pd.Series[Any]") -> Any:
        name = str(values.name)
        if name in self.categories_:
            return pd.Categorical(values, categories=self.categories_[name])
        try:
            # Bare: of one row, a frame of columns takes as long to put together as all that the model does with it.
            return values.to_numpy(dtype="float64")
        except (TypeError, ValueError) as error:
            raise ValueError(f"{name}: must be a number or missing, {error}") from error


def _filled_up(rows: pd.DataFrame) -> pd.DataFrame:
    """The rows, the last one repeated until their number is a multiple of ``ROWS_AT_ONCE``."""
    wanted = -(-len(rows) // ROWS_AT_ONCE) * ROWS_AT_ONCE
    return rows if wanted == len(rows) else rows.iloc[np.minimum(np.arange(wanted), len(rows) - 1)]


def _is_text(values: "pd.Series[Any]") -> bool:
    return not (is_numeric_dtype(values) or is_bool_dtype(values))


def _categories(values: "pd.Series[Any]") -> list[str]:
    """The most frequent values in alphabetical order; ties go by the alphabet, not by the order of rows."""
    counts = values.value_counts().rename_axis("value").reset_index(name="rows")
    frequent = counts.sort_values(["rows", "value"], ascending=[False, True])["value"].head(MAX_CATEGORIES)
    return sorted(str(value) for value in frequent)
