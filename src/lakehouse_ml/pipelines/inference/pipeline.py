"""The inference pipeline's table of contents."""

from kedro.pipeline import Node, Pipeline

from lakehouse_ml.pipelines.inference.due import find_due
from lakehouse_ml.pipelines.inference.score import score_due
from lakehouse_ml.use_case import UseCase


def create_pipeline(use_case: UseCase) -> Pipeline:
    """Champion, challengers and gold in, predictions of everything that is due out."""
    return Pipeline(
        [
            _due_node(f"gold_{use_case.entities}", "due"),
            _due_node("gold_features", "due_features"),
            Node(
                func=score_due,
                inputs=["due", "due_features", "ml_champion", "ml_challengers", "run", "table_versions"],
                outputs="ml_predictions",
                name="score_due",
            ),
        ]
    )


def _due_node(rows: str, due: str) -> Node:
    given = ["before_ml_predictions", "ml_champion", "ml_challengers", "run", "params:inference.due"]
    return Node(func=find_due, inputs=[rows, *given], outputs=due, name=f"find_{due}")
