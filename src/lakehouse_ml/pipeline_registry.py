"""The project's pipelines. Another use case is another folder beside ``flights`` and another ``USE_CASE`` here."""

from types import ModuleType

from kedro.pipeline import Pipeline

from lakehouse_ml.flights import USE_CASE
from lakehouse_ml.pipelines import (
    endpoint,
    evaluation,
    feature_engineering,
    inference,
    ingestion,
    maintenance,
    monitoring,
    promotion,
    replay_quarantine,
    training,
)

# In the order in which they run; Kedro itself orders by datasets, and a test holds the two together.
STAGES = (ingestion, feature_engineering, training, evaluation, promotion, inference, monitoring)
DAILY = ("ingestion", "feature_engineering", "inference", "monitoring")
RETRAIN = ("training", "evaluation", "promotion")
# Beside the loop, each run by itself.
UPKEEP = (replay_quarantine, maintenance, endpoint)


def register_pipelines() -> dict[str, Pipeline]:
    """Every stage by its name, the whole loop, and the parts of it that run on schedules of their own."""
    stages, upkeep = _named(STAGES), _named(UPKEEP)
    return {
        **stages,
        **upkeep,
        "__default__": sum(stages.values(), Pipeline([])),
        "daily": sum((stages[name] for name in DAILY), Pipeline([])),
        "retrain": sum((stages[name] for name in RETRAIN), Pipeline([])),
    }


def _named(stages: tuple[ModuleType, ...]) -> dict[str, Pipeline]:
    named = {stage.__name__.rsplit(".", 1)[1]: stage for stage in stages}
    return {name: _stage(name, stage.create_pipeline(USE_CASE)) for name, stage in named.items()}


def _stage(name: str, nodes: Pipeline) -> Pipeline:
    """The nodes under the stage's name, which folds them into one box in kedro-viz."""
    return Pipeline(nodes, tags=name, namespace=name, prefix_datasets_with_namespace=False)
