"""Figures of an evaluation."""

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from sklearn.metrics import precision_recall_curve, roc_curve

from lakehouse_ml.metrics import CALIBRATION_BINS, calibration_bins

# A browser does not show more, and must not load more.
CURVE_POINTS = 300


def plot_roc(holdout_rows: pd.DataFrame, scores: pd.DataFrame) -> go.Figure:
    """True against false positive rate, a line per model."""
    figure = go.Figure()
    for role in _defined(scores):
        false_positive, true_positive, _ = roc_curve(holdout_rows["label"], scores[role])
        shown = _thinned(len(false_positive))
        figure.add_scatter(x=false_positive[shown], y=true_positive[shown], name=role, mode="lines")
    figure.add_scatter(x=[0, 1], y=[0, 1], name="chance", mode="lines", line={"dash": "dot", "color": "grey"})
    return figure.update_layout(
        title="ROC", xaxis_title="false positive rate", yaxis_title="true positive rate"
    )


def plot_precision_recall(holdout_rows: pd.DataFrame, scores: pd.DataFrame) -> go.Figure:
    """Precision against recall, a line per model."""
    figure = go.Figure()
    for role in _defined(scores):
        precision, recall, _ = precision_recall_curve(holdout_rows["label"], scores[role])
        shown = _thinned(len(recall))
        figure.add_scatter(x=recall[shown], y=precision[shown], name=role, mode="lines")
    figure.add_hline(y=float(holdout_rows["label"].mean()), line_dash="dot", line_color="grey")
    return figure.update_layout(title="Precision and recall", xaxis_title="recall", yaxis_title="precision")


def plot_calibration(holdout_rows: pd.DataFrame, scores: pd.DataFrame) -> go.Figure:
    """Positive rate against mean score in equally filled bins, a line per model."""
    figure = go.Figure()
    for role in _defined(scores):
        bins = calibration_bins(scores[role].to_numpy())
        shown = pd.DataFrame({"score": scores[role], "rate": holdout_rows["label"].astype(float)})
        means = shown.groupby(bins).mean()
        figure.add_scatter(x=means["score"], y=means["rate"], name=role, mode="lines+markers")
    figure.add_scatter(
        x=[0, 1], y=[0, 1], name="calibrated", mode="lines", line={"dash": "dot", "color": "grey"}
    )
    title = f"Calibration in {CALIBRATION_BINS} bins"
    return figure.update_layout(title=title, xaxis_title="mean score", yaxis_title="positive rate")


def plot_slices(evaluations: pd.DataFrame) -> go.Figure:
    """Average precision over the base rate in every group of every slice, with intervals, for each model."""
    shown = evaluations[
        (evaluations["metric"] == "ap_over_base_rate")
        & (evaluations["compared_to"] == "")
        & evaluations["value"].notna()
    ]
    figure = go.Figure()
    for role, rows in shown.groupby("role", sort=False):
        figure.add_scatter(
            x=rows["slice"] + ": " + rows["slice_value"],
            y=rows["value"],
            error_y={"array": rows["high"] - rows["value"], "arrayminus": rows["value"] - rows["low"]},
            text=[f"{n} rows, {p} positive" for n, p in zip(rows["rows"], rows["positives"], strict=True)],
            name=role,
            mode="markers",
        )
    return figure.update_layout(title="Slices", yaxis_title="average precision over base rate")


def _defined(scores: pd.DataFrame) -> list[str]:
    return [str(role) for role in scores.columns if np.isfinite(scores[role]).all()]


def _thinned(n: int) -> "np.ndarray[tuple[int], np.dtype[np.int64]]":
    return np.unique(np.linspace(0, n - 1, min(n, CURVE_POINTS)).round().astype(np.int64))
