"""The evaluation's record in MLflow, in the run that trained the candidates."""

import math
from typing import Any

import pandas as pd
import plotly.graph_objects as go
from mlflow import MlflowClient
from mlflow.entities import Metric


def log_evaluation(
    candidates: dict[str, Any], evaluations: pd.DataFrame, newly_wrong: pd.DataFrame, *figures: go.Figure
) -> None:
    """Log metrics of the whole holdout, the table of all slices, what became wrong, and the figures.

    Args:
        candidates: ``ml_candidates``: the MLflow run.
        evaluations: See ``compare``.
        newly_wrong: See there.
        figures: Plotly figures with titles.
    """
    client, run = MlflowClient(), candidates["mlflow_run_id"]
    client.log_batch(
        run, metrics=[Metric(name, value, timestamp=0, step=0) for name, value in _metrics(evaluations)]
    )
    client.log_table(run, evaluations.astype(str), "evaluation/evaluations.json")
    client.log_table(run, newly_wrong.astype(str), "evaluation/newly_wrong.json")
    for figure in figures:
        name = figure.layout.title.text.lower().replace(" ", "_")
        client.log_figure(run, figure, f"plots/{name}.html")


def _metrics(evaluations: pd.DataFrame) -> list[tuple[str, float]]:
    found = []
    for row in evaluations[evaluations["slice"] == "all"].to_dict("records"):
        model = f"{row['role']}_minus_{row['compared_to']}" if row["compared_to"] else row["role"]
        ends = {"": row["value"], "_low": row["low"], "_high": row["high"]}
        name = f"holdout.{model}.{row['metric']}"
        found += [(name + end, float(value)) for end, value in ends.items() if math.isfinite(value)]
    return found
