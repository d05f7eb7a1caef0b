import numpy as np
import optuna
import pandas as pd
import pytest

from builders import FEATURES, labelled_frame
from lakehouse_ml.flights.model import COSTS, ESTIMATORS, SLICES
from lakehouse_ml.probability_model import ProbabilityModel

BY_ROLE = {estimator.role: estimator for estimator in ESTIMATORS}


def flights(**columns):
    defaults = {
        "origin": "EWR",
        "carrier": "UA",
        "scheduled_departure_at": "2013-03-01T12:00Z",
        "origin_visibility_3h_min_miles": 10.0,
        "origin_wind_speed_mph": 8.0,
    }
    frame = pd.DataFrame([{**defaults, **columns}])
    return frame.assign(scheduled_departure_at=pd.to_datetime(frame["scheduled_departure_at"]))


@pytest.mark.parametrize(
    ("departure", "band", "month"),
    [
        ("2013-03-01T09:59Z", "00-05", "2013-03"),
        ("2013-01-01T10:59Z", "00-05", "2013-01"),
        ("2013-07-01T09:59Z", "00-05", "2013-07"),
        ("2013-07-01T10:00Z", "06-09", "2013-07"),
        ("2013-08-01T03:59Z", "18-23", "2013-07"),
        ("2013-08-01T04:00Z", "00-05", "2013-08"),
    ],
)
def test_hour_band_and_month_are_new_yorks(departure, band, month):
    rows = flights(scheduled_departure_at=departure)
    assert SLICES["hour_band"](rows).tolist() == [band]
    assert SLICES["month"](rows).tolist() == [month]


@pytest.mark.parametrize(
    ("visibility", "wind", "is_bad"),
    [(10.0, 8.0, "no"), (4.9, 8.0, "yes"), (10.0, 23.1, "yes"), (np.nan, 30.0, None), (1.0, np.nan, None)],
)
def test_bad_weather_is_low_visibility_or_strong_wind_where_both_are_known(visibility, wind, is_bad):
    rows = flights(origin_visibility_3h_min_miles=visibility, origin_wind_speed_mph=wind)
    assert SLICES["bad_weather"](rows).tolist() == [is_bad]


def test_every_slice_keeps_the_rows_in_place():
    rows = pd.concat([flights(), flights(carrier="AA", origin="JFK")])
    rows.index = pd.Index([7, 3])
    for name, values in SLICES.items():
        assert values(rows).index.tolist() == [7, 3], name


def test_a_baseline_and_a_challenger_are_trained():
    assert list(BY_ROLE) == ["baseline", "challenger"]
    assert COSTS.miss > COSTS.false_alarm > 0


@pytest.mark.parametrize("role", BY_ROLE)
def test_the_first_trial_lies_inside_the_search_space(role):
    estimator = BY_ROLE[role]
    assert estimator.search_space(optuna.trial.FixedTrial(dict(estimator.start))) == dict(estimator.start)


@pytest.mark.parametrize("role", BY_ROLE)
def test_estimators_learn_from_rows_with_gaps_and_answer_probabilities(role):
    estimator = BY_ROLE[role]
    rows = labelled_frame(60, 60).assign(never_there=np.nan)
    features, label = rows[[*FEATURES, "never_there"]], rows["is_late"].to_numpy()
    rounds = {estimator.rounds: 20} if estimator.rounds else {}
    model = ProbabilityModel(estimator.build({**estimator.start, **rounds}, 0)).fit(features, label)
    score = model.predict(features)
    assert score.min() >= 0
    assert score.max() <= 1
    assert score[label].mean() > score[~label].mean() + 0.05
