"""What kedro-viz shows of a dataset, it asks the dataset for."""

from pathlib import Path
from typing import Any

import pandas as pd
import plotly.graph_objects as go
import pytest
from kedro_datasets import json, pandas, plotly

from lakehouse_ml.pipeline_registry import register_pipelines
from project_builders import Project

pytestmark = pytest.mark.slow

ROWS = pd.DataFrame({"key": ["a", "b"], "score": [0.25, 0.75]})
SAVED: dict[type, Any] = {
    pandas.JSONDataset: ROWS,
    pandas.ParquetDataset: ROWS,
    plotly.JSONDataset: go.Figure(go.Bar(x=[1], y=["a"])),
    json.JSONDataset: {"rows": 2},
}


@pytest.fixture
def previewable(tmp_path: Path) -> dict[str, Any]:
    """Every dataset of the catalog that has a preview, saved."""
    catalog = Project(tmp_path).catalog()
    names = {name for pipeline in register_pipelines().values() for name in pipeline.datasets()}
    found = {name: catalog.get(name) for name in names if not name.startswith("params:")}
    shown = {name: dataset for name, dataset in found.items() if hasattr(dataset, "preview")}
    for dataset in shown.values():
        dataset.save(SAVED[type(dataset)])
    return shown


def test_every_dataset_with_a_preview_shows_what_was_saved(previewable: dict[str, Any]) -> None:
    assert {type(dataset) for dataset in previewable.values()} == set(SAVED)
    for name, dataset in previewable.items():
        assert dataset.preview(), name


@pytest.mark.parametrize("name", ["evaluation_table", "newly_wrong"])
def test_a_tables_preview_is_its_rows_and_it_loads_as_it_was_saved(
    previewable: dict[str, Any], name: str
) -> None:
    assert previewable[name].preview()["data"] == [["a", 0.25], ["b", 0.75]]
    pd.testing.assert_frame_equal(previewable[name].load(), ROWS)
