"""Silver to gold: the spine, every feature family, features side by side, labels."""

from kedro.pipeline import Node, Pipeline

from lakehouse_ml.pipelines.feature_engineering.affected import find_affected_days, sources_read
from lakehouse_ml.pipelines.feature_engineering.gold import (
    build_family,
    build_spine,
    insert_labels,
    join_families,
)
from lakehouse_ml.pipelines.feature_engineering.progress import mark_progress
from lakehouse_ml.use_case import Family, UseCase, bound


def create_pipeline(use_case: UseCase) -> Pipeline:
    """The feature engineering of a use case."""
    spine, labels = use_case.spine, use_case.labels
    entities = f"gold_{use_case.entities}"
    new = [f"new_silver_{source}" for source in sources_read(use_case)]
    return Pipeline(
        [
            Node(
                func=bound(find_affected_days, use_case),
                # The one table in which both stages mark theirs: after ingestion has.
                inputs=["run", "progress_of_ingestion", *new],
                outputs="affected_days",
                name="find_affected_days",
            ),
            Node(
                func=bound(build_spine, spine),
                inputs=["affected_days", "run", *(f"silver_{table}" for table in spine.inputs)],
                outputs=entities,
                name="spine",
            ),
            *(_family_node(family, entities) for family in use_case.families),
            Node(
                func=join_families,
                inputs=["affected_days", entities, *(family.name for family in use_case.families)],
                outputs="gold_features",
                name="features",
            ),
            Node(
                func=bound(insert_labels, labels),
                inputs=["affected_days", f"new_silver_{labels.source}"],
                outputs="gold_labels",
                name="labels",
            ),
            Node(
                func=bound(mark_progress, sources_read(use_case)),
                inputs=["affected_days", "run", "before_ops_progress", "gold_features", "gold_labels"],
                outputs="progress_of_feature_engineering",
                name="mark_progress",
            ),
        ]
    )


def _family_node(family: Family, entities: str) -> Node:
    tables = [f"silver_{table}" for table in (*family.inputs, *family.references)]
    return Node(
        func=bound(build_family, family),
        inputs=["affected_days", "run", entities, *tables],
        outputs=family.name,
        name=family.name,
    )
