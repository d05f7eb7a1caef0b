"""Model quality over time, with intervals."""

import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from lakehouse_ml.pipelines.monitoring.rules import QualityParams
from lakehouse_ml.pipelines.monitoring.theme import AMBER, MUTED, RED, SERIES, empty_figure, styled

# The primary metric first, and larger than the others.
PANELS = {
    "average_precision": "Average precision",
    "roc_auc": "AUC",
    "brier_loss": "Brier loss (lower is better)",
    "calibration_error": "Calibration error (lower is better)",
    "cost": "Cost per decision (lower is better)",
}
_MOST_TICKS = 8
_HEIGHTS = (0.28, 0.18, 0.18, 0.18, 0.18)


def plot_quality(quality: pd.DataFrame, estimated: pd.DataFrame, params: QualityParams) -> go.Figure:
    """Every metric by complete window, one colour per model version; rings mark windows that break a rule.

    Args:
        quality: ``quality_history``.
        estimated: ``estimated_windows``: drawn hollow and apart, since nothing was measured there.
        params: Whose plain limits are drawn.
    """
    filled = [frame for frame in (quality, estimated) if not frame.empty]
    if not filled:
        return empty_figure("nothing is scored yet")
    windows = pd.concat(filled)
    figure = make_subplots(
        rows=len(PANELS), cols=1, shared_xaxes=True, vertical_spacing=0.06, row_heights=_HEIGHTS,
        subplot_titles=list(PANELS.values()),
    )  # fmt: skip
    for row, metric in enumerate(PANELS, start=1):
        for place, (version, measured) in enumerate(quality.groupby("model_version", sort=False)):
            colour = SERIES[place % len(SERIES)]
            figure.add_trace(_interval_line(measured, metric, str(version), colour, row == 1), row=row, col=1)
        _add_violations(figure, quality, metric, row)
        _add_limits(figure, params, metric, row)
        _add_estimates(figure, windows, metric, row)
    _add_base_rate(figure, quality)
    return _laid_out(figure, windows)


def _window_ticks(quality: pd.DataFrame) -> dict[str, object]:
    """A tick at the start of every window, or of every second, third, ... when there are many."""
    starts = sorted(pd.to_datetime(quality["window_start"]).unique())
    return {"tickvals": starts[:: -(-len(starts) // _MOST_TICKS)]}


def _laid_out(figure: go.Figure, quality: pd.DataFrame) -> go.Figure:
    for title in figure.layout.annotations[: len(PANELS)]:
        title.update(x=0, xanchor="left", font={"size": 13})
    styled(figure, height=820, hovermode="x")
    figure.update_xaxes(tickformat="%d %b<br>%Y", **_window_ticks(quality))
    figure.update_layout(margin_t=64, legend_y=1.035)
    return figure


def _interval_line(
    windows: pd.DataFrame, metric: str, version: str, colour: str, is_named: bool
) -> go.Scatter:
    value, low, high = (windows[f"{metric}{end}"].astype("float64") for end in ("", "_low", "_high"))
    return go.Scatter(
        x=windows["window_start"],
        y=value,
        error_y={
            "type": "data",
            "symmetric": False,
            "array": high - value,
            "arrayminus": value - low,
            "thickness": 1.5,
        },
        name=f"version {version}",
        legendgroup=version,
        showlegend=is_named,
        mode="lines+markers",
        line={"color": colour, "width": 2},
        marker={"size": 7, "color": colour},
        customdata=pd.DataFrame({"low": low, "high": high, "rows": windows["rows"]}),
        hovertemplate=(
            f"version {version}: %{{y:.3f}} [%{{customdata[0]:.3f}}, %{{customdata[1]:.3f}}], "
            "%{customdata[2]:,} predictions<extra></extra>"
        ),
    )


def _add_violations(figure: go.Figure, quality: pd.DataFrame, metric: str, row: int) -> None:
    broken = quality[quality["is_violation"].astype(bool)]
    if broken.empty:
        return
    ring = {"size": 15, "color": "rgba(0,0,0,0)", "line": {"color": RED, "width": 2}}
    figure.add_trace(
        go.Scatter(
            x=broken["window_start"],
            y=broken[metric],
            mode="markers",
            marker=ring,
            name="breaks a rule",
            legendgroup="broken",
            showlegend=row == 1,
            text=broken["broken_rules"].map(", ".join),
            hovertemplate="breaks %{text}<extra></extra>",
        ),
        row=row,
        col=1,
    )


def _add_limits(figure: go.Figure, params: QualityParams, metric: str, row: int) -> None:
    for rule in params.rules:
        limit = rule.at_least if rule.at_least is not None else rule.at_most
        if rule.metric == metric and limit is not None:
            figure.add_hline(
                limit, row=row, col=1, line={"color": AMBER, "width": 1, "dash": "dash"},
                annotation={"text": f"limit {limit:g}", "font": {"color": AMBER, "size": 11}},
                annotation_position="top left",
            )  # fmt: skip


def _add_estimates(figure: go.Figure, windows: pd.DataFrame, metric: str, row: int) -> None:
    """What the scores alone promised, of measured windows and of those that wait."""
    if f"expected_{metric}" not in windows:
        return
    figure.add_trace(
        go.Scatter(
            x=windows["window_start"],
            y=windows[f"expected_{metric}"].astype("float64"),
            mode="markers",
            marker={"size": 9, "symbol": "diamond-open", "color": MUTED, "line": {"width": 1.5}},
            name="estimate from the scores alone",
            legendgroup="estimate",
            showlegend=row == 1,
            hovertemplate="the scores promise %{y:.3f}, an estimate<extra></extra>",
        ),
        row=row,
        col=1,
    )


def _add_base_rate(figure: go.Figure, quality: pd.DataFrame) -> None:
    rates = quality.groupby("window_start")["positive_rate"].first()
    figure.add_trace(
        go.Scatter(
            x=rates.index,
            y=rates,
            mode="lines",
            line={"color": MUTED, "width": 1.5, "dash": "dot"},
            name="share of positives (what chance gives)",
            hovertemplate="share of positives %{y:.3f}<extra></extra>",
        ),
        row=1,
        col=1,
    )
