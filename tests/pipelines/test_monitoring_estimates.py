from datetime import timedelta
from typing import Any

import numpy as np
import pandas as pd
import pytest

from lakehouse_ml.pipelines.monitoring.estimates import COLUMNS, estimate_windows
from lakehouse_ml.pipelines.monitoring.rules import QualityParams
from lakehouse_ml.use_case import Costs
from monitoring_builders import AS_OF, MONDAY, RUN, params

COSTS = Costs(false_alarm=1.0, miss=3.0)
PARAMS = QualityParams(**params("quality"))


def window(start: Any = MONDAY, known: float = 1.0, rows: int = 2000, **changes: Any) -> pd.DataFrame:
    generator = np.random.default_rng(4)
    score = generator.beta(1, 3, rows)
    is_known = np.arange(rows) < known * rows
    label = pd.Series(generator.random(rows) < score, dtype=object).where(is_known, None)
    return pd.DataFrame(
        {
            "model_version": "3", "window_start": start, "window_end": start + timedelta(days=7), "score": score,
            "predict_date": [start + timedelta(days=n % 7) for n in range(rows)],
            "threshold": 0.25, "is_resolved": is_known, "label": label,
            "is_measured": False, **changes,
        }
    )  # fmt: skip


def estimated(*windows: pd.DataFrame) -> pd.DataFrame:
    return estimate_windows(pd.concat(windows), RUN, PARAMS, costs=COSTS)


def test_a_complete_window_is_measured_and_not_estimated() -> None:
    found = estimated(window())
    assert found.empty
    assert tuple(found.columns) == COLUMNS


def test_a_window_that_waits_for_labels_or_for_its_end_is_estimated_from_all_its_scores() -> None:
    running = window(MONDAY + timedelta(days=14))
    found = estimated(window(known=0.5), running)
    assert found["window_start"].tolist() == [MONDAY, MONDAY + timedelta(days=14)]
    assert found["known_share"].tolist() == [0.5, 1.0]
    assert found["expected_brier_loss"][0] == pytest.approx(
        float((running["score"] * (1 - running["score"])).mean())
    )
    assert AS_OF.date() < running["window_end"].iloc[0]


def test_a_week_that_a_model_served_in_part_stays_an_estimate() -> None:
    frame = window()
    late = frame[frame["predict_date"] > MONDAY]
    assert estimated(late)["known_share"].tolist() == [1.0]


def test_versions_are_estimated_apart() -> None:
    found = estimated(window(known=0.0), window(known=0.0, model_version="4", score=0.5))
    assert found["model_version"].tolist() == ["3", "4"]
    assert found["expected_roc_auc"][1] == 0.5
