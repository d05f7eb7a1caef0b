"""Figures of a training."""

import plotly.graph_objects as go
from optuna.trial import TrialState

from lakehouse_ml.pipelines.training.study import Study


def tuning_figure(*studies: Study) -> go.Figure:
    """Value of every complete trial by its number, a line per study."""
    figure = go.Figure()
    for study in studies:
        complete = [trial for trial in study.trials if trial.state == TrialState.COMPLETE]
        figure.add_scatter(
            x=[trial.number for trial in complete],
            y=[trial.value for trial in complete],
            text=[str(trial.params) for trial in complete],
            mode="lines+markers",
            name=study.role,
        )
    return figure.update_layout(
        title="Search", xaxis_title="trial", yaxis_title="mean validation average precision"
    )
