"""Compact, clean up, report sizes."""

from kedro.pipeline import Node, Pipeline

from lakehouse_ml.pipelines.maintenance.maintain import plan_maintenance, report_sizes
from lakehouse_ml.use_case import UseCase


def create_pipeline(use_case: UseCase) -> Pipeline:
    """Upkeep of all tables."""
    return Pipeline(
        [
            Node(
                func=plan_maintenance,
                inputs=["table_versions", "params:maintenance"],
                outputs="maintained_tables",
                name="maintain_tables",
            ),
            Node(
                func=report_sizes,
                inputs="maintained_tables",
                outputs="reporting_table_sizes",
                name="report_sizes",
            ),
        ]
    )
