"""The evaluation pipeline's table of contents."""

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
from lakehouse_ml.pipelines.evaluation.rows import golden_rows, newly_wrong
from lakehouse_ml.pipelines.evaluation.score import score
from lakehouse_ml.pipelines.evaluation.tracking import log_evaluation
from lakehouse_ml.use_case import UseCase, bound

PLOTS = ["evaluation_roc", "evaluation_precision_recall", "evaluation_calibration", "evaluation_slices"]


def create_pipeline(use_case: UseCase) -> Pipeline:
    """Candidates and champion in, what they are worth on the same rows out."""
    entities = f"recorded_gold_{use_case.entities}"
    return Pipeline([*_score_nodes(use_case, entities), *_result_nodes(entities), *_plot_nodes()])


def _score_nodes(use_case: UseCase, entities: str) -> list[Node]:
    rows = ["ml_candidates", "recorded_gold_features", "recorded_gold_labels", entities]
    scored = ["holdout_rows", "holdout_scores", "compared_models"]
    params = ["params:evaluation.measure", "params:random_seed"]
    golden = bound(golden_rows, features=use_case.feature_names)
    return [
        Node(bound(holdout, label=use_case.labels.column), rows, "holdout_rows", name="holdout"),
        Node(
            compared_models,
            ["ml_candidates", "before_ml_champion"],
            "compared_models",
            name="compared_models",
        ),
        Node(score, ["holdout_rows", "compared_models"], "holdout_scores", name="score"),
        Node(bound(measure, use_case=use_case), [*scored, *params], "metric_draws", name="measure"),
        Node(golden, scored, "golden_rows", name="golden_rows"),
        Node(newly_wrong, scored, "newly_wrong", name="newly_wrong"),
    ]


def _result_nodes(entities: str) -> list[Node]:
    compared = ["metric_draws", "compared_models", "ml_candidates"]
    return [
        Node(compare, compared, "evaluations", name="compare"),
        Node(store_evaluations, ["evaluations", entities], "ml_evaluations", name="store_evaluations"),
        Node(tabulate, "evaluations", "evaluation_table", name="tabulate"),
    ]


def _plot_nodes() -> list[Node]:
    scored = ["holdout_rows", "holdout_scores"]
    roc, precision, calibration, slices = PLOTS
    return [
        Node(plot_roc, scored, roc, name="plot_roc"),
        Node(plot_precision_recall, scored, precision, name="plot_precision_recall"),
        Node(plot_calibration, scored, calibration, name="plot_calibration"),
        Node(plot_slices, "evaluations", slices, name="plot_slices"),
        Node(
            log_evaluation,
            ["ml_candidates", "evaluations", "newly_wrong", *PLOTS],
            None,
            name="log_evaluation",
        ),
    ]
