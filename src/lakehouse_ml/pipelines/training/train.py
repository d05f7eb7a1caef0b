"""The final fit: hyper-parameters from the search, rounds and threshold from validation, all rows."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lakehouse_ml.metrics import cheapest_threshold
from lakehouse_ml.pipelines.training.params import TrainingParams, TuningParams
from lakehouse_ml.pipelines.training.split import HISTORY, known_before, labels_of
from lakehouse_ml.pipelines.training.study import Study, on_bounds
from lakehouse_ml.pipelines.training.tune import fit, precisions, scores_by_rounds
from lakehouse_ml.probability_model import ProbabilityModel
from lakehouse_ml.use_case import Costs, Estimator, Params


@dataclass(frozen=True)
class Fitted:
    """A candidate.

    Attributes:
        role: ``baseline`` or ``challenger``.
        model: Fitted on history and validation folds.
        params: Hyper-parameters without the number of rounds.
        rounds: Boosting rounds; None for a model without.
        threshold: Cheapest on the validation folds.
        validation: Average precision on the validation folds of a model of the history.
        train_rows: Rows of the final fit.
        base_rate: Share of positive ones among them.
        warnings: What is odd, e.g. a best value on a bound.
    """

    role: str
    model: ProbabilityModel
    params: Params
    rounds: int | None
    threshold: float
    validation: float
    train_rows: int
    base_rate: float
    warnings: tuple[str, ...]


def train(
    training_rows: pd.DataFrame,
    study: Study,
    params: TrainingParams,
    seed: int,
    *,
    estimator: Estimator,
    costs: Costs,
) -> Fitted:
    """The candidate of a role.

    A model of the history alone scores all validation folds: they give the number of rounds and the threshold. The
    final model has the same hyper-parameters and all rows.

    Args:
        training_rows: History and validation folds, see ``split``.
        study: The search's trials.
        params: ``params:training``.
        seed: Seed of the model.
        estimator: What is fitted.
        costs: Cost matrix, for the threshold.
    """
    best = study.best
    validated = validate(training_rows, best.params, estimator, params.tuning, seed)
    return Fitted(
        role=estimator.role,
        model=fit(training_rows, best.params, estimator, validated.rounds or 0, seed),
        params=best.params,
        rounds=validated.rounds,
        threshold=cheapest_threshold(validated.label, validated.score, costs),
        validation=validated.precision,
        train_rows=len(training_rows),
        base_rate=float(labels_of(training_rows).mean()),
        warnings=(*on_bounds(best), *_rounds_on_bound(validated.rounds, estimator, params.tuning)),
    )


class Validated(NamedTuple):
    """Scores of all validation folds by a model of the history, at the best number of rounds.

    Attributes:
        label: Truth, shape (n_rows,).
        score: Probability, shape (n_rows,).
        rounds: Boosting rounds; None for a model without.
        precision: Average precision.
    """

    label: NDArray[np.bool_]
    score: NDArray[np.float64]
    rounds: int | None
    precision: float


def validate(
    rows: pd.DataFrame, params: Params, estimator: Estimator, tuning: TuningParams, seed: int
) -> Validated:
    """How a model of the history alone does on the validation folds."""
    folds = rows[rows["fold"] != HISTORY]
    model = fit(known_before(rows, HISTORY + 1), params, estimator, tuning.max_rounds, seed)
    scores = scores_by_rounds(model, folds, estimator, tuning.round_step)
    found = precisions(labels_of(folds), scores)
    best = int(np.argmax(found))
    rounds, score = list(scores.items())[best]
    return Validated(labels_of(folds), score, rounds, float(found[best]))


def _rounds_on_bound(rounds: int | None, estimator: Estimator, tuning: TuningParams) -> list[str]:
    if rounds is None:
        return []
    is_first, is_last = rounds == tuning.round_step, rounds + tuning.round_step > tuning.max_rounds
    ends = {tuning.round_step: is_first, tuning.max_rounds: is_last}
    return [f"{estimator.rounds} on its bound {end}" for end, is_there in ends.items() if is_there]
