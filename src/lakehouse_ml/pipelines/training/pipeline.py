"""The training pipeline's table of contents."""

from kedro.pipeline import Node, Pipeline

from lakehouse_ml.pipelines.training.facts import training_facts
from lakehouse_ml.pipelines.training.split import split
from lakehouse_ml.pipelines.training.tracking import log_candidates
from lakehouse_ml.pipelines.training.train import train
from lakehouse_ml.pipelines.training.training_set import training_set
from lakehouse_ml.pipelines.training.trials import trials
from lakehouse_ml.pipelines.training.tune import tune
from lakehouse_ml.use_case import Estimator, UseCase, bound


def create_pipeline(use_case: UseCase) -> Pipeline:
    """Labelled rows in, a tuned and fitted baseline and challenger out."""
    searches = (node for estimator in use_case.estimators for node in _estimator_nodes(estimator, use_case))
    return Pipeline([*_row_nodes(use_case), *searches, *_record_nodes()])


def _row_nodes(use_case: UseCase) -> list[Node]:
    return [
        Node(
            func=bound(training_set, label=use_case.labels.column),
            inputs=["gold_features", "gold_labels", "run", "params:training"],
            outputs="training_set",
            name="training_set",
        ),
        Node(
            func=split,
            inputs=["training_set", "run", "params:training"],
            outputs="training_rows",
            name="split",
        ),
        Node(
            func=bound(training_facts, use_case=use_case),
            inputs=["training_rows", "run", "versions_of_gold", "params:training", "params:random_seed"],
            outputs="training_facts",
            name="training_facts",
        ),
    ]


def _record_nodes() -> list[Node]:
    studies = ["baseline_study", "challenger_study"]
    return [
        Node(func=trials, inputs=["gold_features", "run", *studies], outputs="ml_trials", name="trials"),
        Node(
            func=log_candidates,
            inputs=["training_facts", "training_rows", "baseline_fitted", "challenger_fitted", *studies],
            outputs="ml_candidates",
            name="log_candidates",
        ),
    ]


def _estimator_nodes(estimator: Estimator, use_case: UseCase) -> list[Node]:
    return [
        Node(
            func=bound(tune, estimator=estimator),
            inputs=["training_rows", "tuning_studies", "params:training", "params:random_seed"],
            outputs=f"{estimator.role}_study",
            name=f"tune_{estimator.role}",
        ),
        Node(
            func=bound(train, estimator=estimator, costs=use_case.costs),
            inputs=["training_rows", f"{estimator.role}_study", "params:training", "params:random_seed"],
            outputs=f"{estimator.role}_fitted",
            name=f"train_{estimator.role}",
        ),
    ]
