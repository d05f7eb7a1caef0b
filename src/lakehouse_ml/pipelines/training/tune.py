"""Hyper-parameters by forward chaining: every validation fold is scored by a model of what lies before it."""

import hashlib
import inspect
import json
import sys
from functools import partial
from typing import Any

import numpy as np
import optuna
import pandas as pd
from numpy.typing import NDArray
from optuna.trial import Trial
from sklearn.metrics import average_precision_score

from lakehouse_ml.pipelines.training.params import TrainingParams, TuningParams
from lakehouse_ml.pipelines.training.provenance import hash_of, installed_packages
from lakehouse_ml.pipelines.training.split import (
    days_spread_evenly,
    features_of,
    known_before,
    labels_of,
    validation_folds,
)
from lakehouse_ml.pipelines.training.study import Search, Study, TrialStore, run_study, space_of
from lakehouse_ml.probability_model import ProbabilityModel
from lakehouse_ml.use_case import Estimator, Params

Fold = tuple[pd.DataFrame, pd.DataFrame]
Floats = NDArray[np.float64]


def tune(
    training_rows: pd.DataFrame,
    studies: TrialStore,
    params: TrainingParams,
    seed: int,
    *,
    estimator: Estimator,
) -> Study:
    """The trials of a search for the estimator's hyper-parameters; their value is average precision.

    Args:
        training_rows: History and validation folds, see ``split``.
        studies: Finished trials; those of the same search are taken over.
        params: ``params:training``.
        seed: Seed of sampler and models.
        estimator: What is tuned.
    """
    folds = [fold_of(training_rows, fold, params.tuning.days) for fold in validation_folds(training_rows)]
    search = Search(
        name=f"{estimator.role}-{_fingerprint(folds, estimator, params.tuning, seed)[:16]}",
        objective=partial(cross_validate, folds=folds, estimator=estimator, tuning=params.tuning, seed=seed),
        start=estimator.start,
        trials=params.tuning.trials[estimator.role],
        startup_trials=params.tuning.startup_trials,
        seed=seed,
    )
    return Study(search.name, estimator.role, run_study(search, studies))


def fold_of(rows: pd.DataFrame, fold: int, days: int) -> Fold:
    """Training rows of some days before a validation fold, and the fold's rows."""
    return days_spread_evenly(known_before(rows, fold), days), rows[rows["fold"] == fold]


def cross_validate(
    trial: Trial, folds: list[Fold], estimator: Estimator, tuning: TuningParams, seed: int
) -> float:
    """Mean average precision over the folds, at the number of rounds that is best for all of them together.

    Raises:
        TrialPruned: The running mean is below the median of the earlier trials.
    """
    params = estimator.search_space(trial)
    curves: list[Floats] = []
    for step, (train, validation) in enumerate(folds):
        model = fit(train, params, estimator, tuning.max_rounds, seed)
        scores = scores_by_rounds(model, validation, estimator, tuning.round_step)
        curves.append(precisions(labels_of(validation), scores))
        trial.report(float(np.mean(curves, axis=0).max()), step)
        # After the last fold the answer is there, and nothing is left to save.
        if step < len(folds) - 1 and trial.should_prune():
            raise optuna.TrialPruned
    return float(np.mean(curves, axis=0).max())


def precisions(label: NDArray[np.bool_], scores: dict[int | None, Floats]) -> Floats:
    """Average precision of each of the scores."""
    return np.array([average_precision_score(label, score) for score in scores.values()])


def fit(rows: pd.DataFrame, params: Params, estimator: Estimator, rounds: int, seed: int) -> ProbabilityModel:
    """A model of the rows.

    Args:
        rows: Training rows, see ``split``.
        params: Hyper-parameters without the number of rounds.
        estimator: What is fitted.
        rounds: Boosting rounds; ignored by an estimator without.
        seed: Seed of the model.
    """
    full: dict[str, Any] = dict(params)
    if estimator.rounds is not None:
        full[estimator.rounds] = rounds
    return ProbabilityModel(estimator.build(full, seed)).fit(features_of(rows), labels_of(rows))


def scores_by_rounds(
    model: ProbabilityModel, rows: pd.DataFrame, estimator: Estimator, round_step: int
) -> dict[int | None, Floats]:
    """Scores by number of rounds, every ``round_step``; of a model without rounds those under None."""
    if estimator.rounds is None:
        return {None: model.predict(features_of(rows))}
    staged = enumerate(model.staged(features_of(rows)), start=1)
    return {rounds: score for rounds, score in staged if rounds % round_step == 0}


def _fingerprint(folds: list[Fold], estimator: Estimator, tuning: TuningParams, seed: int) -> str:
    """SHA-256 over all that a trial's value depends on: rows, search, code and packages."""
    total = hashlib.sha256()
    for rows in (rows for fold in folds for rows in fold):
        total.update(json.dumps(list(rows.columns)).encode())
        total.update(pd.util.hash_pandas_object(rows, index=False).to_numpy().tobytes())
    how = tuning.model_dump(exclude={"trials"})
    search = [space_of(estimator.search_space), dict(estimator.start), how, seed]
    total.update(json.dumps([search, code_of_trials(estimator), hash_of(installed_packages())]).encode())
    return total.hexdigest()


def code_of_trials(estimator: Estimator) -> str:
    """SHA-256 over the modules that a trial runs: the estimator's with its helpers, and those of the search."""
    parts = (estimator.build, ProbabilityModel, cross_validate, run_study)
    return hash_of([inspect.getsource(sys.modules[part.__module__]) for part in parts])
