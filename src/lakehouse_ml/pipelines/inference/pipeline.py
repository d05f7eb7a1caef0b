"""The inference pipeline's table of contents."""

from kedro.pipeline import Node, Pipeline

from lakehouse_ml.pipelines.inference.due import find_due
from lakehouse_ml.pipelines.inference.score import score_due
from lakehouse_ml.use_case import UseCase


def create_pipeline(use_case: UseCase) -> Pipeline:
    """Champion, challengers and gold in, predictions of everything that is due out."""
    return Pipeline(
        [
            Node(
                func=find_due,
                inputs=[
                    f"gold_{use_case.entities}",
                    "before_ml_predictions",
                    "ml_champion",
                    "ml_challengers",
                    "run",
                    "params:inference.due",
                ],
                outputs="due",
                name="find_due",
            ),
            Node(
                func=score_due,
                inputs=["due", "gold_features", "ml_champion", "ml_challengers", "run", "table_versions"],
                outputs="ml_predictions",
                name="score_due",
            ),
        ]
    )
