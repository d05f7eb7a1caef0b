"""The training pipeline's table of contents."""

from functools import partial, update_wrapper

from kedro.pipeline import Node, Pipeline

from lakehouse_ml.pipelines.training.facts import training_facts
from lakehouse_ml.pipelines.training.split import split
from lakehouse_ml.pipelines.training.tracking import log_candidates
from lakehouse_ml.pipelines.training.train import train
from lakehouse_ml.pipelines.training.training_set import training_set
from lakehouse_ml.pipelines.training.trials import trials
from lakehouse_ml.pipelines.training.tune import tune
from lakehouse_ml.use_case import Estimator, UseCase


def create_pipeline(use_case: UseCase) -> Pipeline:
    """Labelled rows in, a tuned and fitted baseline and challenger out."""
    select = partial(training_set, label=use_case.labels.column)
    describe = partial(training_facts, use_case=use_case)
    return Pipeline(
        [
            Node(
                func=update_wrapper(select, training_set),
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
                func=update_wrapper(describe, training_facts),
                inputs=[
                    "training_rows",
                    "run",
                    "table_versions",
                    "params:training",
                    "params:random_seed",
                ],
                outputs="training_facts",
                name="training_facts",
            ),
            *(node for estimator in use_case.estimators for node in _estimator_nodes(estimator, use_case)),
            Node(
                func=trials,
                inputs=["gold_features", "run", "baseline_study", "challenger_study"],
                outputs="ml_trials",
                name="trials",
            ),
            Node(
                func=log_candidates,
                inputs=[
                    "training_facts",
                    "training_rows",
                    "baseline_fitted",
                    "challenger_fitted",
                    "baseline_study",
                    "challenger_study",
                ],
                outputs="ml_candidates",
                name="log_candidates",
            ),
        ]
    )


def _estimator_nodes(estimator: Estimator, use_case: UseCase) -> list[Node]:
    tune_it = partial(tune, estimator=estimator)
    train_it = partial(train, estimator=estimator, costs=use_case.costs)
    return [
        Node(
            func=update_wrapper(tune_it, tune),
            inputs=["training_rows", "tuning_studies", "params:training", "params:random_seed"],
            outputs=f"{estimator.role}_study",
            name=f"tune_{estimator.role}",
        ),
        Node(
            func=update_wrapper(train_it, train),
            inputs=["training_rows", f"{estimator.role}_study", "params:training", "params:random_seed"],
            outputs=f"{estimator.role}_fitted",
            name=f"train_{estimator.role}",
        ),
    ]
