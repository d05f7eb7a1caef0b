"""Drift of every feature by window."""

import pandas as pd
import plotly.graph_objects as go

from lakehouse_ml.pipelines.monitoring.alerts import DriftParams
from lakehouse_ml.pipelines.monitoring.theme import empty_figure, styled

# Below 0.1 is quiet, from 0.25 is usually called a shift; beyond 1 more colour says no more.
NOTABLE, SHIFTED, DARKEST = 0.1, 0.25, 1.0
MOST_FEATURES = 30
WATCHED = "● "
_INDEX = "population_stability_index"
_SCALE = (
    (0.0, "#f4f7fa"),
    (NOTABLE / DARKEST, "#cfdfee"),
    (NOTABLE / DARKEST, "#fde8c4"),
    (SHIFTED / DARKEST, "#f6b65c"),
    (SHIFTED / DARKEST, "#e2703a"),
    (1.0, "#7f1717"),
)
_BASE_HEIGHT, _ROW_HEIGHT = 118, 19


def plot_drift(drift: pd.DataFrame, params: DriftParams) -> go.Figure:
    """Population stability index against the champion's training window: features down, windows across.

    The features that a rule watches stand on top, then the others, each group with the most drifted first. Of more
    than 30 features the title counts the rest.

    Args:
        drift: ``drift_history``.
        params: Which features are watched.
    """
    against_training = drift[drift["drift_type"] == "BASELINE"]
    if against_training.empty:
        return empty_figure("no complete window yet")
    grid = against_training.pivot_table(
        index="column_name", columns="window_start", values=_INDEX, dropna=False
    )
    is_watched = _watched(grid, params)
    order = pd.DataFrame({"watched": is_watched, "worst": grid.max(axis=1)})
    grid = grid.loc[order.sort_values(["watched", "worst"], ascending=False, kind="stable").index]
    figure = go.Figure(_heatmap(grid.iloc[:MOST_FEATURES], is_watched))
    height = _BASE_HEIGHT + _ROW_HEIGHT * min(len(grid), MOST_FEATURES)
    styled(figure, height=height, title=_title(grid, is_watched))
    figure.update_layout(margin={"l": 10, "t": 62})
    figure.update_yaxes(autorange="reversed", automargin=True, showgrid=False, tickfont={"size": 11})
    figure.update_xaxes(showgrid=False, type="category", automargin=True)
    return figure


def _watched(grid: pd.DataFrame, params: DriftParams) -> "pd.Series[bool]":
    rules = [rule for rule in params.rules if rule.metric == _INDEX]
    return pd.Series(
        {name: any(rule.looks_at(str(name)) for rule in rules) for name in grid.index}, dtype=bool
    )


def _heatmap(grid: pd.DataFrame, is_watched: "pd.Series[bool]") -> go.Heatmap:
    return go.Heatmap(
        z=grid.to_numpy(),
        x=[f"{start:%d %b}" for start in pd.to_datetime(grid.columns)],
        y=[f"{WATCHED if is_watched[name] else ''}{name}" for name in grid.index],
        zmin=0,
        zmax=DARKEST,
        colorscale=_SCALE,
        xgap=2,
        ygap=2,
        colorbar={
            "title": {"text": "PSI", "side": "top"}, "thickness": 10, "outlinewidth": 0,
            "lenmode": "pixels", "len": 200, "y": 1, "yanchor": "top",
            "tickvals": [0, NOTABLE, SHIFTED, DARKEST], "ticktext": ["0", "0.1", "0.25", "≥ 1"],
        },
        hovertemplate="%{y}, window from %{x}: PSI %{z:.3f}<extra></extra>",
        hoverongaps=False,
    )  # fmt: skip


def _title(grid: pd.DataFrame, is_watched: "pd.Series[bool]") -> dict[str, object]:
    has_shifted, watched = grid.iloc[:, -1] >= SHIFTED, is_watched[grid.index]
    lines = [
        f"{WATCHED}{(has_shifted & watched).sum()} of {watched.sum()} watched features shifted in the newest window"
    ]
    if not watched.all():
        lines.append(f"and {(has_shifted & ~watched).sum()} of {(~watched).sum()} that are only shown")
    if len(grid) > MOST_FEATURES:
        lines[-1] += f"; the {len(grid) - MOST_FEATURES} least drifted are left out"
    return {"text": "<br>".join(lines), "x": 0, "xanchor": "left", "xref": "container", "font": {"size": 13}}
