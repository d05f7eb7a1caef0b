from datetime import UTC, date, datetime, time, timedelta

import numpy as np
import pandas as pd
import pytest
from pydantic import ValidationError

from builders import labelled_frame, training_params, training_rows
from lakehouse_ml.lakehouse.run import Run
from lakehouse_ml.pipelines.training.params import TrainingParams
from lakehouse_ml.pipelines.training.periods import first_trained_on, periods_of
from lakehouse_ml.pipelines.training.split import (
    check_enough,
    days_spread_evenly,
    feature_names,
    known_before,
    split,
    validation_folds,
)
from lakehouse_ml.pipelines.training.training_set import training_set

AS_OF = datetime(2013, 2, 10, tzinfo=UTC)
PERIODS = periods_of(AS_OF, training_params())


def test_periods_are_history_then_folds_then_the_holdout_up_to_now():
    assert PERIODS.fold_starts == (date(2013, 1, 24), date(2013, 1, 29))
    assert PERIODS.holdout_start == date(2013, 2, 3)
    assert PERIODS.holdout_end == date(2013, 2, 10)


def test_the_first_training_has_just_the_days_of_history_that_it_needs():
    params, rows = training_params(), training_rows()
    first = first_trained_on(date(2013, 1, 1), params)
    for as_of, days in ((first, 10), (first - timedelta(days=1), 9)):
        periods = periods_of(datetime.combine(as_of, time(), UTC), params)
        history = rows[rows["predict_date"] < pd.Timestamp(periods.fold_starts[0])]
        assert history["predict_date"].nunique() == days


def test_an_unfinished_day_is_in_no_period():
    periods = periods_of(AS_OF.replace(hour=17), training_params())
    assert periods.holdout_end == date(2013, 2, 10)


def test_rows_count_once_their_label_has_had_time_to_become_known():
    assert PERIODS.label_cutoff == datetime(2013, 2, 3, tzinfo=UTC)
    assert PERIODS.last_asked_at == datetime(2013, 2, 2, tzinfo=UTC)


def test_rows_get_the_fold_of_their_day():
    rows = training_rows()
    first = rows.groupby("fold")["predict_date"].min()
    assert first.dt.date.tolist() == [date(2013, 1, 1), date(2013, 1, 24), date(2013, 1, 29)]
    assert validation_folds(rows) == [1, 2]


def test_nothing_before_a_fold_is_known_only_later():
    rows = training_rows()
    late = rows.index[rows["predict_date"] == "2013-01-23"][:3]
    rows.loc[late, "label_known_at"] = pd.Timestamp("2013-01-24T00:00:01")
    before = known_before(rows, 1)
    assert not before.index.isin(late).any()
    assert (before["label_known_at"] <= "2013-01-24").all()
    assert set(before["fold"]) == {0}
    assert set(known_before(rows, 2)["fold"]) == {0, 1}


def test_the_days_of_a_search_reach_from_the_first_to_the_last():
    rows = training_rows()
    days = np.sort(rows["predict_date"].unique())
    some = np.sort(days_spread_evenly(rows, 5)["predict_date"].unique())
    assert len(some) == 5
    assert (some[0], some[-1]) == (days[0], days[-1])
    assert len(days_spread_evenly(rows, 999)) == len(rows)


def test_features_are_all_columns_that_say_nothing_about_the_outcome():
    assert feature_names(training_rows()) == [
        "carrier", "origin", "backlog", "pressure", "noise_0", "noise_1", "noise_2"
    ]  # fmt: skip


def test_every_shortage_is_named_with_numbers_and_the_way_out():
    rows = training_rows()
    enough = training_params(enough={"rows": 99999, "days": 60, "positives": 800}).enough
    with pytest.raises(ValueError, match="Too little to train on") as error:
        check_enough(rows, PERIODS, enough)
    message = str(error.value)
    assert f"{len(rows)} labelled rows, needed 99999" in message
    assert "23 days of history before 2013-01-24, needed 60" in message
    assert "positive rows in history, needed 800" in message
    assert "positive rows in validation fold 2, needed 800" in message
    assert "kedro land --until" in message


def test_no_rows_at_all_are_too_few():
    with pytest.raises(ValueError, match="0 labelled rows, needed 100; 0 days of history"):
        check_enough(training_rows().head(0), PERIODS, training_params().enough)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"holdout_dayz": 3}, "holdout_dayz"),
        ({"holdout_days": 0}, "holdout_days"),
        ({"validation": {"folds": 0, "fold_days": 5}}, "validation.folds"),
        ({"tuning": {**training_params().tuning.model_dump(), "round_step": 50}}, "round_step 50 is above"),
        ({"tuning": {**training_params().tuning.model_dump(), "trials": {"baseline": 0}}}, "tuning.trials"),
    ],
)
def test_misspelt_and_impossible_parameters_are_refused_by_name(change, says):
    with pytest.raises(ValidationError, match=says):
        TrainingParams.model_validate({**training_params().model_dump(), **change})


def test_the_holdout_and_what_was_not_known_at_its_start_never_reach_training(spark):
    rows = labelled_frame(40, 6)
    features = spark.createDataFrame(rows.drop(columns=["is_late", "label_known_at"]))
    # One label is only known after the holdout has begun, and one is corrected then.
    labels = rows[["key", "is_late", "label_known_at"]].assign(_revision="a")
    labels.loc[3, "label_known_at"] = pd.Timestamp("2013-02-03T00:00:01")
    corrected = labels.loc[[4]].assign(
        is_late=~labels.loc[4, "is_late"], label_known_at=pd.Timestamp("2013-02-05"), _revision="b"
    )
    run = Run("r", AS_OF, {})
    revisions = spark.createDataFrame(pd.concat([labels, corrected]))
    selected = training_set(features, revisions, run, training_params(), label="is_late")
    found = split(selected, run, training_params(enough={"rows": 1, "days": 1, "positives": 1}))
    expected = rows[(rows["predict_at"] <= "2013-02-02") & (rows.index != 3)]
    assert found["key"].tolist() == expected["key"].tolist()
    assert found["label"].tolist() == expected["is_late"].tolist()
    assert feature_names(found) == feature_names(training_rows())
