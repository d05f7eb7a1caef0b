"""The evaluation pipeline's table of contents."""

from functools import partial, update_wrapper

from kedro.pipeline import Node, Pipeline

from lakehouse_ml.pipelines.evaluation.compare import compare, store_evaluations, tabulate
from lakehouse_ml.pipelines.evaluation.holdout import holdout
from lakehouse_ml.pipelines.evaluation.measure import measure
from lakehouse_ml.pipelines.evaluation.models import compared_models
from lakehouse_ml.pipelines.evaluation.plots import (
    plot_calibration,
    plot_precision_recall,
    plot_roc,
    plot_slices,
)
from lakehouse_ml.pipelines.evaluation.score import score
from lakehouse_ml.pipelines.evaluation.tracking import log_evaluation
from lakehouse_ml.use_case import UseCase


def create_pipeline(use_case: UseCase) -> Pipeline:
    """Candidates and champion in, what they are worth on the same rows out."""
    entities = f"recorded_gold_{use_case.entities}"
    select = partial(holdout, label=use_case.labels.column)
    measure_it = partial(measure, use_case=use_case)
    return Pipeline(
        [
            Node(
                func=update_wrapper(select, holdout),
                inputs=["ml_candidates", "recorded_gold_features", "recorded_gold_labels", entities],
                outputs="holdout_rows",
                name="holdout",
            ),
            Node(
                func=compared_models,
                inputs=["ml_candidates", "before_ml_champion"],
                outputs="compared_models",
                name="compared_models",
            ),
            Node(
                func=score, inputs=["holdout_rows", "compared_models"], outputs="holdout_scores", name="score"
            ),
            Node(
                func=update_wrapper(measure_it, measure),
                inputs=[
                    "holdout_rows",
                    "holdout_scores",
                    "compared_models",
                    "params:evaluation.measure",
                    "params:random_seed",
                ],
                outputs="metric_draws",
                name="measure",
            ),
            Node(
                func=compare,
                inputs=["metric_draws", "compared_models", "ml_candidates"],
                outputs="evaluations",
                name="compare",
            ),
            Node(
                func=store_evaluations,
                inputs=["evaluations", entities],
                outputs="ml_evaluations",
                name="store_evaluations",
            ),
            Node(func=tabulate, inputs="evaluations", outputs="evaluation_table", name="tabulate"),
            Node(
                func=plot_roc,
                inputs=["holdout_rows", "holdout_scores"],
                outputs="evaluation_roc",
                name="plot_roc",
            ),
            Node(
                func=plot_precision_recall,
                inputs=["holdout_rows", "holdout_scores"],
                outputs="evaluation_precision_recall",
                name="plot_precision_recall",
            ),
            Node(
                func=plot_calibration,
                inputs=["holdout_rows", "holdout_scores"],
                outputs="evaluation_calibration",
                name="plot_calibration",
            ),
            Node(func=plot_slices, inputs="evaluations", outputs="evaluation_slices", name="plot_slices"),
            Node(
                func=log_evaluation,
                inputs=[
                    "ml_candidates",
                    "evaluations",
                    "evaluation_roc",
                    "evaluation_precision_recall",
                    "evaluation_calibration",
                    "evaluation_slices",
                ],
                outputs=None,
                name="log_evaluation",
            ),
        ]
    )
