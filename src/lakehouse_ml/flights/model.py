"""What is trained for flights, how wrong decisions are weighed, and the groups in which quality is shown."""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from lakehouse_ml.use_case import Costs, Estimator, Params

if TYPE_CHECKING:
    # Every Spark worker that builds a feature imports the use case: scikit-learn would cost each of them a second.
    from sklearn.ensemble import HistGradientBoostingClassifier
    from sklearn.pipeline import Pipeline

# A passenger who is not warned loses more than one who is warned in vain.
COSTS = Costs(false_alarm=1.0, miss=3.0)

HOUR_BANDS = {"00-05": 0, "06-09": 6, "10-13": 10, "14-17": 14, "18-23": 18}
BAD_VISIBILITY_MILES = 5.0
BAD_WIND_MPH = 23.0


def logistic_space(trial: Any) -> dict[str, Any]:
    """Hyper-parameters of the logistic baseline."""
    return {"C": trial.suggest_float("C", 1e-4, 1.0, log=True)}


def logistic(params: Params, seed: int) -> "Pipeline":
    """Logistic regression over scaled numbers, flags of missing values and one column per category."""
    from sklearn.compose import ColumnTransformer, make_column_selector
    from sklearn.impute import SimpleImputer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder, StandardScaler

    numbers = make_pipeline(
        SimpleImputer(strategy="median", add_indicator=True, keep_empty_features=True), StandardScaler()
    )
    categories = OneHotEncoder(handle_unknown="ignore", min_frequency=200, sparse_output=False)
    columns = ColumnTransformer(
        [
            ("numbers", numbers, make_column_selector(dtype_include="number")),
            ("categories", categories, make_column_selector(dtype_include="category")),
        ]
    )
    # With far more rows than columns it needs a few passes where the default needs a hundred.
    return make_pipeline(
        columns, LogisticRegression(C=params["C"], solver="newton-cholesky", random_state=seed)
    )


def trees_space(trial: Any) -> dict[str, Any]:
    """Hyper-parameters of the boosted trees; the number of trees follows from validation."""
    return {
        "learning_rate": trial.suggest_float("learning_rate", 0.03, 0.15, log=True),
        "max_leaf_nodes": trial.suggest_int("max_leaf_nodes", 15, 95, log=True),
        "min_samples_leaf": trial.suggest_int("min_samples_leaf", 50, 1000, log=True),
        "l2_regularization": trial.suggest_float("l2_regularization", 0.1, 50.0, log=True),
        "max_features": trial.suggest_float("max_features", 0.1, 0.8),
    }


def trees(params: Params, seed: int) -> "HistGradientBoostingClassifier":
    """Gradient-boosted trees; missing values and categories are split on as they are."""
    from sklearn.ensemble import HistGradientBoostingClassifier

    return HistGradientBoostingClassifier(
        **params, categorical_features="from_dtype", early_stopping=False, random_state=seed
    )


TREES_START = {
    "learning_rate": 0.06,
    "max_leaf_nodes": 47,
    "min_samples_leaf": 300,
    "l2_regularization": 5.0,
    "max_features": 0.3,
}

ESTIMATORS = (
    Estimator(role="baseline", search_space=logistic_space, build=logistic, start={"C": 0.01}),
    Estimator(role="challenger", search_space=trees_space, build=trees, start=TREES_START, rounds="max_iter"),
)


def origin(flights: pd.DataFrame) -> "pd.Series[Any]":
    """Airport of departure."""
    return flights["origin"]


def carrier(flights: pd.DataFrame) -> "pd.Series[Any]":
    """Airline."""
    return flights["carrier"]


def hour_band(flights: pd.DataFrame) -> "pd.Series[Any]":
    """Hours of scheduled departure in New York, e.g. ``06-09``."""
    bounds = [*HOUR_BANDS.values(), 24]
    return pd.cut(_departure(flights).dt.hour, bounds, right=False, labels=list(HOUR_BANDS)).astype("object")


def month(flights: pd.DataFrame) -> "pd.Series[Any]":
    """Month of scheduled departure in New York, e.g. ``2013-09``."""
    return _departure(flights).dt.strftime("%Y-%m")


def bad_weather(flights: pd.DataFrame) -> "pd.Series[Any]":
    """Whether low visibility or strong wind was known at the origin: ``yes`` or ``no``; None: no report."""
    visibility, wind = flights["origin_visibility_3h_min_miles"], flights["origin_wind_speed_mph"]
    is_bad = (visibility < BAD_VISIBILITY_MILES) | (wind > BAD_WIND_MPH)
    is_known = visibility.notna() & wind.notna()
    words = np.array([None, "no", "yes"], dtype=object)
    return pd.Series(words[is_known.to_numpy(int) * (1 + is_bad.to_numpy(int))], index=flights.index)


def _departure(flights: pd.DataFrame) -> "pd.Series[Any]":
    return pd.to_datetime(flights["scheduled_departure_at"], utc=True).dt.tz_convert("America/New_York")


SLICES: Mapping[str, Callable[[pd.DataFrame], "pd.Series[Any]"]] = MappingProxyType(
    {slice_.__name__: slice_ for slice_ in (origin, carrier, hour_band, bad_weather, month)}
)
