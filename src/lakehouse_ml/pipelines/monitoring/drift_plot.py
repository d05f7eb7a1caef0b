"""Drift of every feature by window."""

import pandas as pd
import plotly.graph_objects as go

from lakehouse_ml.pipelines.monitoring.theme import empty_figure, styled

# Below 0.1 is quiet, from 0.25 is usually called a shift; beyond 0.5 more colour says no more.
NOTABLE, SHIFTED, DARKEST = 0.1, 0.25, 0.5
MOST_FEATURES = 30
_SCALE = (
    (0.0, "#f4f7fa"),
    (NOTABLE / DARKEST, "#cfdfee"),
    (NOTABLE / DARKEST, "#fde8c4"),
    (SHIFTED / DARKEST, "#f6b65c"),
    (SHIFTED / DARKEST, "#e2703a"),
    (1.0, "#8f1d1d"),
)
_BASE_HEIGHT, _ROW_HEIGHT = 110, 19


def plot_drift(drift: pd.DataFrame) -> go.Figure:
    """Population stability index against the champion's training window: features down, windows across.

    The features that drifted most in any window stand on top; the title counts what is beyond 30.

    Args:
        drift: ``drift_history``.
    """
    against_training = drift[drift["drift_type"] == "BASELINE"]
    if against_training.empty:
        return empty_figure("no complete window yet")
    grid = against_training.pivot_table(
        index="column_name", columns="window_start", values="population_stability_index", dropna=False
    )
    worst = grid.max(axis=1).sort_values(ascending=False, kind="stable").index
    shown = grid.loc[worst[:MOST_FEATURES]]
    figure = go.Figure(_heatmap(shown))
    styled(figure, height=_BASE_HEIGHT + _ROW_HEIGHT * len(shown), title=_title(grid, shown))
    figure.update_layout(margin={"l": 10, "t": 56})
    figure.update_yaxes(autorange="reversed", automargin=True, showgrid=False, tickfont={"size": 11})
    figure.update_xaxes(showgrid=False, type="category", automargin=True)
    return figure


def _heatmap(grid: pd.DataFrame) -> go.Heatmap:
    return go.Heatmap(
        z=grid.to_numpy(),
        x=[f"{start:%d %b}" for start in grid.columns],
        y=list(grid.index),
        zmin=0,
        zmax=DARKEST,
        colorscale=_SCALE,
        xgap=2,
        ygap=2,
        colorbar={
            "title": {"text": "PSI", "side": "top"}, "thickness": 10, "outlinewidth": 0,
            "lenmode": "pixels", "len": 200, "y": 1, "yanchor": "top",
            "tickvals": [0, NOTABLE, SHIFTED, DARKEST], "ticktext": ["0", "0.1", "0.25", "≥ 0.5"],
        },
        hovertemplate="%{y}, week from %{x}: PSI %{z:.3f}<extra></extra>",
        hoverongaps=False,
    )  # fmt: skip


def _title(grid: pd.DataFrame, shown: pd.DataFrame) -> dict[str, object]:
    rest = grid.drop(shown.index)
    text = f"{(grid.iloc[:, -1] >= SHIFTED).sum()} of {len(grid)} features shifted in the newest window"
    if len(rest):
        text += f"<br>{len(rest)} more not shown, none above {float(rest.to_numpy().max()):.2f}"
    return {"text": text, "x": 0, "xanchor": "left", "xref": "container", "font": {"size": 13}}
