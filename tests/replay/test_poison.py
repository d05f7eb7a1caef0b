import numpy as np
import pandas as pd
import pytest
from kedro.io import DataCatalog, MemoryDataset
from kedro.pipeline import Node, Pipeline
from kedro.runner import SequentialRunner

from lakehouse_ml.flights import USE_CASE
from lakehouse_ml.pipeline_registry import register_pipelines
from lakehouse_ml.pipelines import training
from lakehouse_ml.replay.poison import inverted, poisoned

ROWS = pd.DataFrame({"key": range(10_000), "label": np.arange(10_000) % 4 == 0})


def test_a_share_of_the_labels_is_inverted_and_nothing_else_changes() -> None:
    found = inverted(ROWS, 0.7, seed=1)
    assert abs((found["label"] != ROWS["label"]).mean() - 0.7) < 0.02
    assert found.drop(columns="label").equals(ROWS.drop(columns="label"))


def test_the_same_seed_inverts_the_same_labels() -> None:
    assert inverted(ROWS, 0.7, seed=1).equals(inverted(ROWS, 0.7, seed=1))
    assert not inverted(ROWS, 0.7, seed=1).equals(inverted(ROWS, 0.7, seed=2))


def test_the_poisoned_training_is_the_stage_with_one_node_more() -> None:
    stage = training.create_pipeline(USE_CASE)
    meddled = poisoned(stage, 0.7, seed=1)
    assert {node.name for node in meddled.nodes} - {node.name for node in stage.nodes} == {"invert_labels"}
    assert len(meddled.nodes) == len(stage.nodes) + 1
    assert (meddled.inputs(), meddled.outputs()) == (stage.inputs(), stage.outputs())


@pytest.mark.filterwarnings("error:Namespace")
def test_the_node_more_belongs_to_the_stage() -> None:
    meddled = poisoned(register_pipelines()["training"], 0.7, seed=1)
    assert {node.namespace for node in meddled.nodes} == {"training"}


def test_what_comes_after_the_rows_sees_the_inverted_labels() -> None:
    stage = Pipeline(
        [
            Node(lambda rows: rows, "landed", "training_rows", name="split"),
            Node(lambda rows: rows["label"].mean(), "training_rows", "rate", name="train"),
        ]
    )
    catalog = DataCatalog({"landed": MemoryDataset(ROWS)})
    found = SequentialRunner().run(poisoned(stage, 1.0, seed=1), catalog)
    assert found["rate"].load() == 0.75
