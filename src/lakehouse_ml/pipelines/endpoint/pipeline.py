"""Champion -> serving endpoint, for the times when promotion could not bring it there."""

from kedro.pipeline import Node, Pipeline

from lakehouse_ml.serving_endpoint import serve_champion
from lakehouse_ml.use_case import UseCase


def create_pipeline(use_case: UseCase) -> Pipeline:
    """Moves no alias and decides nothing, so that it may be run at any time."""
    return Pipeline(
        [
            Node(
                func=serve_champion,
                inputs=["promotion_ledger", "model_registry", "serving_endpoint"],
                outputs=None,
                name="serve_champion",
            )
        ]
    )
