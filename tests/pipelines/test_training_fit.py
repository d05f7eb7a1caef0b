import numpy as np
import optuna
import pandas as pd
import pytest
from optuna.trial import TrialState

from builders import training_params, training_rows
from lakehouse_ml.datasets.study_folder import Studies
from lakehouse_ml.flights.model import COSTS, ESTIMATORS
from lakehouse_ml.pipelines.training.split import features_of, known_before, labels_of
from lakehouse_ml.pipelines.training.study import Study
from lakehouse_ml.pipelines.training.train import _rounds_on_bound, train, validate
from lakehouse_ml.pipelines.training.tune import fit, fold_of, tune

pytestmark = pytest.mark.slow

BASELINE, CHALLENGER = ESTIMATORS
ROWS, PARAMS = training_rows(), training_params()


def fitted(folder, estimator, rows=ROWS, params=PARAMS):
    study = tune(rows, Studies(folder), params, 1, estimator=estimator)
    return train(rows, study, params, 1, estimator=estimator, costs=COSTS)


@pytest.fixture(scope="module", params=[BASELINE, CHALLENGER], ids=lambda estimator: estimator.role)
def candidate(request, tmp_path_factory):
    return fitted(tmp_path_factory.mktemp("studies"), request.param)


def test_a_candidate_knows_what_it_was_trained_on(candidate):
    assert candidate.train_rows == len(ROWS)
    assert candidate.base_rate == pytest.approx(labels_of(ROWS).mean())
    assert 0 < candidate.threshold < 1
    assert candidate.validation > 1.2 * labels_of(ROWS).mean()


def test_the_same_rows_and_seed_give_the_same_predictions(candidate, tmp_path):
    estimator = BASELINE if candidate.role == "baseline" else CHALLENGER
    again = fitted(tmp_path, estimator)
    assert again.params == candidate.params
    assert again.threshold == candidate.threshold
    frame = features_of(ROWS)
    np.testing.assert_allclose(again.model.predict(frame), candidate.model.predict(frame), rtol=0, atol=1e-9)


def test_the_number_of_rounds_comes_from_validation_and_the_final_fit_takes_all_rows(candidate):
    if candidate.role == "baseline":
        assert candidate.rounds is None
        return
    assert candidate.rounds in {5, 10, 15, 20}
    final = fit(ROWS, candidate.params, CHALLENGER, candidate.rounds, 1)
    np.testing.assert_array_equal(final.predict(ROWS), candidate.model.predict(ROWS))


def test_the_threshold_and_rounds_do_not_see_the_labels_of_the_final_fit():
    # Validated by a model of the history alone: turning the folds' labels round must not change its scores.
    turned = ROWS.assign(label=np.where(ROWS["fold"] > 0, ~ROWS["label"], ROWS["label"]))
    params = {**CHALLENGER.start, "min_samples_leaf": 20}
    one_step = PARAMS.tuning.model_copy(update={"round_step": 20})
    straight = validate(ROWS, params, CHALLENGER, one_step, 1)
    np.testing.assert_array_equal(straight.score, validate(turned, params, CHALLENGER, one_step, 1).score)


def test_a_search_that_is_best_at_the_most_rounds_says_so(tmp_path):
    tuning = {**PARAMS.tuning.model_dump(), "max_rounds": 5}
    candidate = fitted(tmp_path, CHALLENGER, params=training_params(tuning=tuning))
    assert "max_iter on its bound 5" in candidate.warnings


def test_a_search_that_is_best_at_the_fewest_rounds_says_so():
    rounds = PARAMS.tuning.round_step
    assert _rounds_on_bound(rounds, CHALLENGER, PARAMS.tuning) == [f"max_iter on its bound {rounds}"]
    assert _rounds_on_bound(2 * rounds, CHALLENGER, PARAMS.tuning) == []
    assert _rounds_on_bound(None, BASELINE, PARAMS.tuning) == []


def test_each_fold_is_scored_by_what_was_known_before_it():
    train_rows, validation = fold_of(ROWS, 2, days=8)
    assert train_rows["label_known_at"].max() <= validation["predict_date"].min()
    assert train_rows["predict_date"].nunique() == 8
    assert set(validation["fold"]) == {2}


def test_rows_of_a_later_fold_change_no_earlier_trial(tmp_path):
    def first_values(rows):
        study = tune(rows, Studies(tmp_path / str(len(rows))), PARAMS, 1, estimator=BASELINE)
        return [trial.intermediate_values[0] for trial in study.trials]

    assert first_values(ROWS) == first_values(ROWS.drop(ROWS.index[ROWS["fold"] == 2][::2]))


def test_pruned_trials_are_no_candidates():
    study = tune(ROWS, _nowhere(), PARAMS, 1, estimator=BASELINE)
    worst = min(study.trials, key=lambda trial: trial.value)
    for trial in study.trials:
        if trial is not worst:
            trial.state = TrialState.PRUNED
    assert Study("s", "baseline", study.trials).best is worst


@pytest.mark.parametrize("state", [TrialState.PRUNED, TrialState.COMPLETE], ids=lambda state: state.name)
def test_a_search_without_a_value_has_no_best_trial(state):
    trial = optuna.trial.create_trial(state=TrialState.PRUNED)
    trial.state = state
    with pytest.raises(ValueError, match=r"study s: of 1 trials \d are complete, and 0 of them have a value"):
        _ = Study("s", "baseline", [trial]).best


def _nowhere():
    class Nowhere:
        def load(self, study):
            return []

        def add(self, study, number, record):
            pass

    return Nowhere()


def test_no_row_is_in_both_training_and_validation():
    before = known_before(ROWS, 1)
    assert not pd.Index(before["key"]).isin(ROWS.loc[ROWS["fold"] == 1, "key"]).any()
