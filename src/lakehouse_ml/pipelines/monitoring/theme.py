"""Colours and plot layout of the pages: quiet greys for what is, colour for what needs a look."""

from typing import Any

import plotly.graph_objects as go

INK = "#1c2b3a"
MUTED = "#64748b"
LINE = "#e2e8f0"
CARD = "#ffffff"
BLUE = "#2563a8"
PALE_BLUE = "#a9c4e4"
GREEN = "#1a7f4b"
AMBER = "#b45309"
RED = "#c02d2d"

# Told apart by people who do not see all colours, and on a grey print.
SERIES = ("#2563a8", "#d97706", "#0f766e", "#7c3aed", "#be185d", "#4d7c0f", "#0891b2")

FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, sans-serif"


def styled(figure: go.Figure, height: int, **layout: Any) -> go.Figure:
    """The figure in the pages' style.

    Args:
        figure: Is changed.
        height: Pixels.
        **layout: Further layout of the figure.
    """
    figure.update_layout(
        template="none",
        height=height,
        margin={"l": 56, "r": 16, "t": 28, "b": 40},
        font={"family": FONT, "size": 12, "color": INK},
        paper_bgcolor=CARD,
        plot_bgcolor=CARD,
        hoverlabel={"bgcolor": INK, "font": {"color": "#ffffff", "family": FONT}, "bordercolor": INK},
        legend={"orientation": "h", "x": 0, "y": 1.0, "yanchor": "bottom", "bgcolor": "rgba(0,0,0,0)"},
        **layout,
    )
    figure.update_xaxes(
        gridcolor=LINE, zeroline=False, linecolor=LINE, tickcolor=LINE, ticks="outside", fixedrange=True
    )
    figure.update_yaxes(gridcolor=LINE, zeroline=False, linecolor=LINE, fixedrange=True)
    return figure


def empty_figure(message: str) -> go.Figure:
    """A figure that says in words why there is nothing to draw."""
    figure = styled(go.Figure(), height=120)
    figure.add_annotation(text=message, showarrow=False, font={"size": 14, "color": MUTED}, x=0.5, y=0.5)
    figure.update_xaxes(visible=False, range=[0, 1])
    figure.update_yaxes(visible=False, range=[0, 1])
    return figure
