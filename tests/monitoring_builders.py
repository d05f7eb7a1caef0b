"""Synthetic histories for monitoring: eleven weeks of a champion, a drifting feature, a noisy source."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from functools import cache
from typing import Any

import numpy as np
import pandas as pd
import yaml

from lakehouse_ml.lakehouse.run import Run
from lakehouse_ml.pipelines.monitoring.champion import Watched
from lakehouse_ml.pipelines.monitoring.counting import bin_edges
from lakehouse_ml.pipelines.monitoring.drift import drift_rows
from lakehouse_ml.pipelines.monitoring.situation import QualityWindow, Situation, Training

AS_OF = datetime(2013, 10, 1, tzinfo=UTC)
MONDAY = date(2013, 9, 16)
CHAMPION = Watched("3", "d" * 64, date(2013, 1, 1), date(2013, 9, 3))
OWNERS = {"data": "data engineering", "model": "data science", "platform": "ml platform"}
SOURCES = ("timetable", "movements", "weather", "planes")
RUN = Run("run-1", AS_OF, {})


DRIFT_RULE = {
    "name": "drift_from_training", "metric": "population_stability_index", "reference": "BASELINE", "at_least": 0.25,
}  # fmt: skip


def shipped(group: str) -> dict[str, Any]:
    """A group of the shipped monitoring parameters."""
    with open("conf/base/parameters_monitoring.yml") as file:
        return dict(yaml.safe_load(file)["monitoring"][group])


def params(group: str) -> dict[str, Any]:
    """A group of the shipped monitoring parameters, with a drift rule for any feature."""
    return {"rules": [DRIFT_RULE]} if group == "drift" else shipped(group)


def quality_window(start: date = MONDAY, worse: float = 0.0, **changes: Any) -> dict[str, Any]:
    """A complete window that breaks no rule; ``worse`` moves every metric the wrong way."""
    values = {
        "average_precision": 0.52 - worse, "roc_auc": 0.76 - worse, "brier_loss": 0.14 + worse / 4,
        "cost": 0.36 + worse / 2, "calibration_error": 0.03 + worse / 4,
    }  # fmt: skip
    intervals = {
        f"{metric}{end}": value + shift
        for metric, value in values.items()
        for end, shift in (("", 0.0), ("_low", -0.03), ("_high", 0.03))
    }
    return {
        "model_version": "3", "window_start": start, "window_end": start + timedelta(days=7), "rows": 6500,
        "labels": 6480, "positives": 1500, "mean_score": 0.23, "positive_rate": 0.23, **intervals,
        "expected_average_precision": 0.52, "expected_roc_auc": 0.77, "expected_brier_loss": 0.14,
        "expected_cost": 0.36,
        "is_violation": False, "broken_rules": [], "run_id": "run-1", **changes,
    }  # fmt: skip


def estimated_windows() -> pd.DataFrame:
    """The window that is not over yet."""
    start = MONDAY + timedelta(days=7)
    window = {"model_version": "3", "window_start": start, "window_end": start + timedelta(days=7)}
    expected = {name: value for name, value in quality_window().items() if name.startswith("expected_")}
    return pd.DataFrame([{**window, "rows": 900, "known_share": 0.4, **expected}])


def quality_history(*violations: bool, version: str = "3") -> pd.DataFrame:
    """Consecutive windows that end with the week of MONDAY, oldest first."""
    first = MONDAY - timedelta(days=7 * (len(violations) - 1))
    generator = np.random.default_rng(len(violations))
    rows = [
        quality_window(
            first + timedelta(days=7 * n),
            worse=0.16 if is_bad else float(generator.normal(0, 0.02)),
            model_version=version,
            is_violation=is_bad,
            broken_rules=["auc_floor"] if is_bad else [],
        )
        for n, is_bad in enumerate(violations)
    ]
    return pd.DataFrame(rows, columns=list(quality_window()))


def profile_row(
    values: Sequence[Any], start: date, reference: Sequence[Any] | None = None, **changes: Any
) -> dict[str, Any]:
    """The profile of one column in one window; numbers are binned on the edges of ``reference``."""
    found = pd.Series(values)
    present = found.dropna()
    is_text = bool(len(present)) and isinstance(present.iloc[0], str)
    row = {
        "model_version": "3", "log_type": "INPUT", "column_name": "feature", "count": len(found),
        "data_type": "string" if is_text else "double", "num_nulls": len(found) - len(present),
        "percent_null": 100 * (len(found) - len(present)) / max(1, len(found)), "percent_zeros": None,
        "percent_distinct": 100 * present.nunique() / max(1, len(present)), "avg": None, "min": None, "max": None,
        "window_start": pd.Timestamp(start), "window_end": pd.Timestamp(start) + pd.Timedelta(days=7),
        "edges": None, "bin_counts": None, "frequent_items": None, "granularity": "1 week", "monitor_version": 1,
    }  # fmt: skip
    if is_text:
        counts = present.value_counts().items()
        row["frequent_items"] = [{"item": str(name), "count": int(count)} for name, count in counts]
    else:
        numbers = present.to_numpy(np.float64)
        edges = bin_edges(np.asarray(reference if reference is not None else numbers, dtype=np.float64), 10)
        bins = np.bincount(np.searchsorted(edges, numbers, side="left"), minlength=len(edges) + 1)
        row |= {"edges": edges, "bin_counts": bins.tolist()}
        if len(numbers):
            row |= {
                "avg": numbers.mean(),
                "min": numbers.min(),
                "max": numbers.max(),
                "percent_zeros": 100 * np.mean(numbers == 0),
            }
    return {**row, **changes}


def baseline_row(values: Sequence[Any], **changes: Any) -> dict[str, Any]:
    """The profile of one column over the training window."""
    window = {"log_type": "BASELINE", "window_end": pd.Timestamp(2013, 9, 3)}
    return profile_row(values, date(2013, 1, 1), **window, **changes)


@cache
def drift_history(features: int = 12, weeks: int = 8) -> pd.DataFrame:
    """Drift of features of which every fifth moves ever further away; not to be changed."""
    generator = np.random.default_rng(7)
    rows = []
    for number in range(features):
        name = f"feature_{number:02d}"
        training = generator.normal(size=1000)
        rows.append(baseline_row(training, column_name=name))
        for week in range(weeks):
            shift = 0.12 * week if number % 5 == 0 else 0.1 * generator.normal()
            values = generator.normal(shift, size=400)
            start = MONDAY - timedelta(days=7 * (weeks - 1 - week))
            rows.append(profile_row(values, start, reference=training, column_name=name))
    found = pd.DataFrame(drift_rows(pd.DataFrame(rows), set()))
    starts = found["window"].map(lambda window: pd.Timestamp(window["start"]).tz_localize(None))
    return found.drop(columns=["window", "window_cmp"]).assign(model_version="3", window_start=starts)


def file_history(days: int = 45, **quarantined: int) -> pd.DataFrame:
    """Landed lines by source and day up to AS_OF; ``quarantined`` adds rejects on a source's newest day."""
    generator = np.random.default_rng(11)
    rows = []
    for source, lines in (("movements", 1830), ("timetable", 920), ("weather", 72)):
        for back in range(days, 0, -1):
            day = AS_OF.date() - timedelta(days=back)
            landed = int(lines + generator.integers(-lines // 12, lines // 12 + 1))
            rejected = quarantined.get(source, 0) if back == 1 else int(generator.random() < 0.08) * 2
            rows.append(file_row(source, day, landed, rejected))
    rows.append(file_row("planes", date(2012, 12, 31), 3322, 0))
    return pd.DataFrame(rows)


def file_row(source: str, day: date, lines: int, quarantined: int, **changes: Any) -> dict[str, Any]:
    """One source's day."""
    return {
        "source": source, "day": day, "taken": pd.Timestamp(day) + pd.Timedelta(days=1),
        "newest": pd.Timestamp(day) + pd.Timedelta(days=1), "files": 1, "unreadable": 0,
        "misnamed": [], "lines": lines, "accepted": lines - quarantined, "duplicates": 0, "quarantined": quarantined,
        "warnings": {}, **changes,
    }  # fmt: skip


def ledger_row(sequence: int = 1, **changes: Any) -> dict[str, Any]:
    """The move of the alias to version 3."""
    return {
        "sequence": sequence, "event": "moved", "actor": "job run-1", "run_id": "run-1",
        "as_of": pd.Timestamp(2013, 9, 30), "decision": "promoted", "elected": "challenger", "model_version": "3",
        "reasons": ["roc_auc 0.771 >= 0.65", "average_precision difference 0.012 [0.004, 0.021] > 0"],
        "champion_before": "2", "champion_after": "3", "models": None, **changes,
    }  # fmt: skip


def ledger_history() -> pd.DataFrame:
    """Three decisions, newest first."""
    refused = ["holdout: 7 days are new to the ledger, 14 needed", "roc_auc 0.768 >= 0.65"]
    return pd.DataFrame(
        [
            ledger_row(
                5,
                event="decided",
                decision="refused",
                elected=None,
                model_version=None,
                reasons=refused,
                models='{"baseline": {"warnings": ["C on its bound 1"]}, "challenger": {"warnings": []}}',
                champion_before="3",
            ),
            ledger_row(4, as_of=pd.Timestamp(2013, 9, 1)),
            ledger_row(
                3, as_of=pd.Timestamp(2013, 7, 1), champion_before=None, champion_after="2", model_version="2"
            ),
        ]
    )


def situation(*violations: bool, **changes: Any) -> Situation:
    """A young champion with a quiet past; windows are weeks, oldest first."""
    windows = tuple(
        QualityWindow((AS_OF - timedelta(days=7 * (len(violations) - n))).date(), bad)
        for n, bad in enumerate(violations)
    )
    known = Situation(
        champion="3",
        as_of=AS_OF,
        promoted_at=AS_OF - timedelta(days=20),
        windows=windows,
        trainings=(Training(4, AS_OF - timedelta(days=20)),),
        new_labels=9_000,
    )
    return replace(known, **changes)


def stage_history(runs: int = 6) -> pd.DataFrame:
    """Former runs, oldest first."""
    generator = np.random.default_rng(13)
    typical = {
        "ingestion": (31, 7),
        "feature_engineering": (24, 4),
        "inference": (9, 1),
        "monitoring": (12, 4),
    }
    return pd.DataFrame(
        [
            {
                "run_id": f"run-{run}", "started": pd.Timestamp(2026, 1, 5 + run, 6, 0, 13), "stage": stage,
                "duration_s": seconds * generator.uniform(0.8, 1.3), "commits": float(commits),
            }
            for run in range(runs)
            for stage, (seconds, commits) in typical.items()
        ]
    )  # fmt: skip
