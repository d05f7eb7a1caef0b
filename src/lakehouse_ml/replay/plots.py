"""The plots of the replay's page."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from itertools import product

import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from lakehouse_ml.pipelines.monitoring.lifecycle import CLOSED, OPENED
from lakehouse_ml.pipelines.monitoring.theme import AMBER, GREEN, MUTED, RED, SERIES, empty_figure, styled
from lakehouse_ml.replay.comparison import WHOLE, Comparison
from lakehouse_ml.replay.fate import Fate
from lakehouse_ml.replay.story import Story

PANELS = {
    "average_precision": "Average precision",
    "roc_auc": "AUC",
    "brier_loss": "Brier loss (lower is better)",
    "cost": "Cost per decision (lower is better)",
}
MARKS = {"promoted": ("circle", GREEN), "refused": ("x", RED), "awaiting_approval": ("circle-open", AMBER)}
# Policies stand beside one another at the same period.
APART = pd.Timedelta(hours=20)


def plot_metrics(comparison: Comparison) -> go.Figure:
    """Every metric by period, a colour per policy, with 95 % intervals."""
    return _panels(comparison.quality, list(comparison.stories))


def plot_differences(comparison: Comparison) -> go.Figure:
    """Every metric minus that of the first policy by period, on the same draws of days."""
    policies = list(comparison.stories)
    if len(policies) == 1:
        return empty_figure(f"only {policies[0]} was played: there is nothing to compare with")
    rows = comparison.differences
    figure = _panels(rows[rows["minus"] == policies[0]], policies)
    figure.add_hline(0, line={"color": MUTED, "width": 1})
    return figure


def _panels(found: pd.DataFrame, policies: Sequence[str]) -> go.Figure:
    figure = make_subplots(
        rows=2, cols=2, shared_xaxes=True, vertical_spacing=0.12, horizontal_spacing=0.07,
        subplot_titles=list(PANELS.values()),
    )  # fmt: skip
    parts = found[found["period"] != WHOLE]
    for (place, metric), (colour, policy) in product(enumerate(PANELS), enumerate(policies)):
        rows = parts[(parts["metric"] == metric) & (parts["policy"] == policy)]
        # Of differences, the first policy has none.
        if len(rows):
            line = _line(rows, policy, colour)
            line.showlegend = place == 0
            figure.add_trace(line, row=place // 2 + 1, col=place % 2 + 1)
    for title in figure.layout.annotations:
        title.update(xanchor="left", x=title.x - 0.465 / 2, font={"size": 13})
    styled(figure, height=560, hovermode="x")
    figure.update_layout(margin_t=64, legend_y=1.07)
    return figure


def _line(rows: pd.DataFrame, policy: str, place: int) -> go.Scatter:
    found, low, high = rows["value"], rows["low"], rows["high"]
    return go.Scatter(
        x=pd.to_datetime(rows["period"]) + place * APART,
        y=found,
        error_y={"type": "data", "symmetric": False, "array": high - found, "arrayminus": found - low},
        name=policy,
        legendgroup=policy,
        mode="lines+markers",
        line={"color": SERIES[place], "width": 2},
        marker={"size": 6},
        customdata=pd.DataFrame({"low": low, "high": high}),
        hovertemplate=f"{policy}: %{{y:.4f}} [%{{customdata[0]:.4f}}, %{{customdata[1]:.4f}}]<extra></extra>",
    )


def plot_trainings(comparison: Comparison) -> go.Figure:
    """A mark per training by policy: what the gate decided."""
    figure = go.Figure()
    for decision, (symbol, colour) in MARKS.items():
        found = [
            (training.as_of, policy, training.reason or f"version {training.version}")
            for policy, story in comparison.stories.items()
            for training in story.trainings
            if training.decision == decision
        ]
        figure.add_trace(
            go.Scatter(
                x=[at for at, _, _ in found],
                y=[policy for _, policy, _ in found],
                text=[text for _, _, text in found],
                name=decision.replace("_", " "),
                mode="markers",
                marker={"symbol": symbol, "size": 11, "color": colour},
                cliponaxis=False,
                hovertemplate="%{x|%d %b}: %{text}<extra></extra>",
            )
        )
    styled(figure, height=110 + 44 * len(comparison.stories))
    figure.update_xaxes(range=[comparison.nows[0], comparison.nows[-1]])
    figure.update_yaxes(type="category", automargin=True, autorange="reversed")
    return figure


def plot_alerts(comparison: Comparison) -> go.Figure:
    """Open alerts after each step, a line per policy."""
    figure = go.Figure()
    for place, (policy, story) in enumerate(comparison.stories.items()):
        counts = open_counts(story, comparison.nows)
        figure.add_trace(
            go.Scatter(
                x=list(counts), y=list(counts.values()), name=policy, mode="lines",
                line={"color": SERIES[place], "shape": "hv", "width": 2},
                hovertemplate=f"{policy}: %{{y}} open<extra></extra>",
            )
        )  # fmt: skip
    styled(figure, height=230, hovermode="x")
    figure.update_yaxes(rangemode="tozero")
    return figure


def open_counts(story: Story, nows: Sequence[datetime]) -> Mapping[datetime, int]:
    """Alerts that are open after each step; the request for a training is none that somebody must look into."""
    told = story.alerts[story.alerts["rule"] != "retrain"]
    change = told["event"].map({OPENED: 1, CLOSED: -1}).fillna(0)
    at = told["as_of"].dt.tz_localize("UTC")
    return {now: int(change[at <= now].sum()) for now in nows}


def plot_incidents(fates: Sequence[Fate], end: datetime) -> go.Figure:
    """Each incident as a bar from damage to its end, and one from the first alert until nothing was open."""
    if not fates:
        return empty_figure("nothing went wrong: no file of incidents was played")
    figure = go.Figure()
    damaged = [(fate.incident.start, fate.incident.end, fate.incident.name) for fate in fates]
    alarmed = [(fate.noticed, fate.healed or end, fate.incident.name) for fate in fates if fate.noticed]
    figure.add_trace(_bars("damaged", RED, damaged, width=14))
    figure.add_trace(_bars("noticed until healed", AMBER, alarmed, width=5))
    contained = [(fate.contained, fate.incident.name) for fate in fates if fate.contained]
    mark = {"symbol": "diamond", "size": 11, "color": GREEN, "line": {"color": "#ffffff", "width": 1}}
    figure.add_trace(
        go.Scatter(
            x=[at for at, _ in contained], y=[name for _, name in contained], mode="markers", marker=mark,
            name="contained", hovertemplate="contained %{x|%d %b}<extra></extra>",
        )
    )  # fmt: skip
    styled(figure, height=120 + 40 * len(fates))
    figure.update_yaxes(type="category", automargin=True, autorange="reversed")
    return figure


def _bars(name: str, colour: str, spans: Sequence[tuple[datetime, datetime, str]], width: int) -> go.Scatter:
    """Lines with gaps between them, in one trace."""
    x = [moment for start, end, _ in spans for moment in (start, end, None)]
    y = [what for _, _, what in spans for _ in range(3)]
    return go.Scatter(
        x=x, y=y, mode="lines", name=name, line={"color": colour, "width": width}, connectgaps=False,
        hovertemplate="%{y}: %{x|%d %b}<extra></extra>",
    )  # fmt: skip
