"""Quality before labels: what the scores promise of windows that are not measured yet."""

from collections.abc import Iterable

import numpy as np
import pandas as pd

from lakehouse_ml.lakehouse.run import Run
from lakehouse_ml.lakehouse.tables.monitoring import EXPECTED
from lakehouse_ml.pipelines.monitoring.expectation import expected_metrics
from lakehouse_ml.pipelines.monitoring.frames import Row, number
from lakehouse_ml.pipelines.monitoring.quality import is_complete
from lakehouse_ml.pipelines.monitoring.rules import QualityParams
from lakehouse_ml.use_case import Costs

IDENTITY = ("model_version", "window_start", "window_end")
COLUMNS = (*IDENTITY, "rows", "known_share", *(f"expected_{metric}" for metric in EXPECTED))


def estimate_windows(
    resolved: pd.DataFrame, run: Run, params: QualityParams, *, costs: Costs
) -> pd.DataFrame:
    """The windows that wait for labels or for their end, or lack days, with what their scores promise.

    An estimate, never a measurement, and no rule looks at it: see
    :mod:`lakehouse_ml.pipelines.monitoring.expectation` for what it cannot see.

    Args:
        resolved: Output of ``resolve_predictions``.
        run: Its now tells which windows are over.
        params: When a window is complete.
        costs: Cost matrix.

    Returns:
        One row per model version and window: model_version, window_start, window_end (dates), rows, known_share
        (0..1), expected_average_precision, expected_roc_auc, expected_brier_loss, expected_cost.
    """
    rows = (
        _estimated(window, costs)
        for _, window in resolved.groupby(["model_version", "window_start"])
        if not (window["window_end"].iloc[0] <= run.as_of.date() and is_complete(window, params))
    )
    return _framed(rows)


def _estimated(window: pd.DataFrame, costs: Costs) -> Row:
    first = window.iloc[0]
    found = expected_metrics(window["score"].to_numpy(np.float64), float(first["threshold"]), costs)
    return {
        **{name: first[name] for name in IDENTITY},
        "rows": len(window),
        "known_share": float(window["is_resolved"].mean()),
        **{f"expected_{metric}": number(value) for metric, value in found.items()},
    }


def _framed(rows: Iterable[Row]) -> pd.DataFrame:
    found = pd.DataFrame(list(rows), columns=list(COLUMNS))
    return found.astype({name: "float64" for name in COLUMNS if name.startswith("expected_")})
