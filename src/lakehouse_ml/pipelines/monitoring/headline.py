"""What a person must know first: one sentence and a few figures, each with its state."""

from dataclasses import dataclass

import pandas as pd

from lakehouse_ml.pipelines.monitoring.champion import Watched
from lakehouse_ml.pipelines.monitoring.findings import RETRAIN
from lakehouse_ml.pipelines.monitoring.landed import DataParams
from lakehouse_ml.pipelines.monitoring.page import Html, State, tile
from lakehouse_ml.pipelines.monitoring.retrain import RetrainDecision

_DUE = {
    "none": "No new model is due.",
    "requested": "A new model is due.",
    "held_back": "A new model is due, and held back ({}).",
}


@dataclass(frozen=True)
class Standing:
    """Where things stand now.

    Attributes:
        champion: The model in use.
        quality: Complete windows, all versions.
        files: Landed lines by source and day, of the newest days.
        alerts: What is found now.
        decision: Whether to retrain.
    """

    champion: Watched
    quality: pd.DataFrame
    files: pd.DataFrame
    alerts: pd.DataFrame
    decision: RetrainDecision

    @property
    def newest_window(self) -> "pd.Series | None":
        """The champion's newest complete window."""
        mine = self.quality[self.quality["model_version"] == self.champion.version].sort_values(
            "window_start"
        )
        return None if mine.empty else mine.iloc[-1]

    @property
    def warnings(self) -> pd.DataFrame:
        """Alerts that ask somebody to act; the retrain decision has a figure of its own."""
        return self.alerts[(self.alerts["severity"] != "info") & (self.alerts["rule"] != RETRAIN)]

    @property
    def state(self) -> State:
        """The worst thing that is open."""
        severities = set(self.warnings["severity"])
        if "critical" in severities:
            return "critical"
        return "warning" if severities or self.decision.outcome != "none" else "ok"


def take_standing(
    champion: Watched,
    quality: pd.DataFrame,
    files: pd.DataFrame,
    alerts: pd.DataFrame,
    decision: RetrainDecision,
    params: DataParams,
) -> Standing:
    """Where things stand, for the top of the page.

    Args:
        champion: The model in use.
        quality: ``quality_history``.
        files: ``file_history``.
        alerts: ``open_alerts``.
        decision: ``retrain_decision``.
        params: Days of publication over which rejects are counted.
    """
    newest = sorted(files["day"].unique())[-params.days :]
    return Standing(champion, quality, files[files["day"].isin(newest)], alerts, decision)


def verdict(standing: Standing) -> str:
    """Where things stand, in one sentence."""
    window = standing.newest_window
    if window is None:
        quality = "has no complete window to be judged by yet"
    else:
        found = f"AP {window['average_precision']:.3f}, AUC {window['roc_auc']:.3f}"
        works = "breaks quality rules" if window["is_violation"] else "does its work"
        quality = f"{works} ({found} in the newest window)"
    due = _DUE[standing.decision.outcome].format(", ".join(standing.decision.held_back_by))
    count = len(standing.warnings)
    alerts = "Nothing is open." if not count else f"{count} alert{'s are' if count > 1 else ' is'} open."
    return f"Champion {standing.champion.version} {quality}. {due} {alerts}"


def headline_tiles(standing: Standing) -> Html:
    """The figures at the top of the page."""
    tiles = (_champion, _average_precision, _auc, _retrain, _alerts, _rejects)
    return Html("".join(make(standing) for make in tiles))


def _champion(standing: Standing) -> Html:
    champion = standing.champion
    trained = f"trained on {champion.trained_from:%d %b} to {champion.trained_until:%d %b %Y}"
    return tile("Champion", f"version {champion.version}", trained, "info")


def _average_precision(standing: Standing) -> Html:
    return _metric(standing, "average_precision", "Average precision")


def _auc(standing: Standing) -> Html:
    return _metric(standing, "roc_auc", "AUC")


def _metric(standing: Standing, metric: str, name: str) -> Html:
    window = standing.newest_window
    if window is None:
        return tile(name, "none", "no complete window yet", "info")
    low, high = window[f"{metric}_low"], window[f"{metric}_high"]
    note = f"{low:.3f} to {high:.3f} (95 %), window from {window['window_start']:%d %b}"
    return tile(name, f"{window[metric]:.3f}", note, "critical" if window["is_violation"] else "ok")


def _retrain(standing: Standing) -> Html:
    decision = standing.decision
    if decision.outcome == "none":
        return tile("Retrain", "no", "quality, age and schedule ask for nothing", "ok")
    return tile(
        "Retrain", decision.outcome.replace("_", " "), f"{decision.wanted}; {decision.next_step}", "warning"
    )


def _alerts(standing: Standing) -> Html:
    critical = int((standing.warnings["severity"] == "critical").sum())
    count = len(standing.warnings)
    state: State = "critical" if critical else "warning" if count else "ok"
    return tile("Open alerts", count, f"{critical} critical, {count - critical} warning", state)


def _rejects(standing: Standing) -> Html:
    lines, rejected = (int(standing.files[name].sum()) for name in ("lines", "quarantined"))
    share = f"{rejected / lines:.2%}" if lines else "none"
    has_alert = bool((standing.warnings["rule"] == "rejected_lines").any())
    note = f"{rejected:,} of {lines:,} lines of the last days"
    return tile("Quarantined", share, note, "warning" if has_alert else "ok")
