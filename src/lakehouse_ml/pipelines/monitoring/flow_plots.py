"""Data flow by source and day, and what each stage of the last runs took."""

from datetime import date, timedelta

import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from lakehouse_ml.lakehouse.run import Run
from lakehouse_ml.pipelines.monitoring.history import HistoryParams
from lakehouse_ml.pipelines.monitoring.theme import BLUE, MUTED, PALE_BLUE, RED, SERIES, empty_figure, styled

_PARTS = {"accepted": BLUE, "duplicates": PALE_BLUE, "quarantined": RED}
_HALF_DAY = pd.Timedelta(hours=14)
_PANEL_HEIGHT, _BASE_HEIGHT, _GAP = 92, 106, 34


def plot_data_flow(files: pd.DataFrame, run: Run, params: HistoryParams) -> go.Figure:
    """Landed lines by day of publication, a panel for each source; triangles mark days with rejects.

    Args:
        files: ``file_history``.
        run: Its now ends the axis.
        params: Days back.
    """
    last = run.as_of.date()
    recent = files[files["day"] >= last - timedelta(days=params.days)]
    if recent.empty:
        return empty_figure(f"no file landed in the last {params.days} days")
    sources = sorted(recent["source"].unique())
    height = _BASE_HEIGHT + _PANEL_HEIGHT * len(sources)
    figure = make_subplots(
        rows=len(sources), cols=1, shared_xaxes=True, vertical_spacing=_GAP / height,
        subplot_titles=[_flow_title(source, recent[recent["source"] == source]) for source in sources],
    )  # fmt: skip
    for row, source in enumerate(sources, start=1):
        _add_source(figure, recent[recent["source"] == source], row)
    return _flow_layout(figure, height, recent["day"].min(), last)


def _flow_title(source: str, days: pd.DataFrame) -> str:
    lines, rejected = int(days["lines"].sum()), int(days["quarantined"].sum())
    share = (
        f"{rejected:,} of {lines:,} lines quarantined" if rejected else f"{lines:,} lines, none quarantined"
    )
    return f"<b>{source}</b>  <span style='color:{RED if rejected else MUTED}'>{share}</span>"


def _add_source(figure: go.Figure, days: pd.DataFrame, row: int) -> None:
    for part, colour in _PARTS.items():
        figure.add_trace(
            go.Bar(
                x=days["day"], y=days[part], name=part, legendgroup=part, showlegend=row == 1,
                marker={"color": colour, "line": {"width": 0}},
                hovertemplate=f"%{{x|%d %b}}: %{{y:,}} {part}<extra></extra>",
            ),
            row=row,
            col=1,
        )  # fmt: skip
    rejects = days[days["quarantined"] > 0]
    # A handful of rejected lines among thousands would be thinner than a pixel.
    marks = go.Scatter(
        x=rejects["day"], y=rejects["lines"], mode="markers", hoverinfo="skip",
        showlegend=False, cliponaxis=False,
        marker={"symbol": "triangle-down", "size": 9, "color": RED},
    )  # fmt: skip
    figure.add_trace(marks, row=row, col=1)


def _flow_layout(figure: go.Figure, height: int, first: date, last: date) -> go.Figure:
    for title in figure.layout.annotations:
        title.update(x=0, xanchor="left", font={"size": 12.5})
    styled(figure, height=height, barmode="stack", bargap=0.15)
    figure.update_layout(
        margin_t=78, legend={"yref": "container", "y": 0.995, "yanchor": "top", "traceorder": "normal"}
    )
    figure.update_xaxes(
        range=[pd.Timestamp(first) - _HALF_DAY, pd.Timestamp(last) + _HALF_DAY], showgrid=False
    )
    figure.update_xaxes(tickformat="%d %b<br>%Y")
    figure.update_yaxes(nticks=3, rangemode="tozero")
    return figure


def plot_stages(stages: pd.DataFrame) -> go.Figure:
    """Seconds in which each stage was at work in the newest runs, a bar for each run, the newest on top.

    Args:
        stages: ``stage_history``.
    """
    if stages.empty:
        return empty_figure("no finished run on record yet: a run writes its events when it ends")
    figure = go.Figure()
    for place, (stage, parts) in enumerate(stages.groupby("stage", sort=False)):
        figure.add_trace(
            go.Bar(
                y=[f"{started:%d %b %H:%M:%S}" for started in parts["started"]],
                x=parts["duration_s"],
                name=str(stage),
                orientation="h",
                marker={"color": SERIES[place % len(SERIES)]},
                customdata=parts["commits"],
                hovertemplate=f"{stage}: %{{x:.0f}} s, %{{customdata:.0f}} commits<extra></extra>",
            )
        )
    styled(figure, height=92 + 26 * stages["run_id"].nunique(), barmode="stack", bargap=0.3)
    figure.update_layout(margin={"l": 10, "t": 34}, legend_traceorder="normal")
    figure.update_xaxes(title={"text": "seconds", "font": {"color": MUTED}})
    figure.update_yaxes(type="category", automargin=True, showgrid=False)
    return figure
