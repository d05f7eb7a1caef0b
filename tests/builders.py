"""Made-up rows for tests: a test states only what matters to it."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd

FIRST_DAY = datetime(2013, 1, 1, tzinfo=UTC)


def labelled_frame(n_days: int = 60, rows_per_day: int = 40, seed: int = 0, n_noise: int = 3) -> pd.DataFrame:
    """Feature rows with a label of moderate skill, in order of time, times as naive UTC.

    The days differ in their rate, some values are missing, and ``carrier`` and ``origin`` are strings.
    """
    random = np.random.default_rng(seed)
    n = n_days * rows_per_day
    day = np.repeat(np.arange(n_days), rows_per_day)
    minute = np.tile(np.linspace(300, 1380, rows_per_day).astype(int), n_days)
    predict_at = pd.to_datetime(
        [FIRST_DAY + timedelta(days=int(d), minutes=int(m)) for d, m in zip(day, minute, strict=True)]
    )
    carrier = random.choice(["UA", "AA", "DL", "B6"], n, p=[0.4, 0.3, 0.2, 0.1])
    backlog = random.gamma(2.0, 10.0, n) * (1 + random.gamma(1.0, 0.5, n_days)[day])
    pressure = random.normal(1015, 8, n)
    logit = -2.3 + 0.03 * backlog - 0.04 * (pressure - 1015) + 0.4 * (carrier == "B6")
    frame = pd.DataFrame(
        {
            "key": [f"UA{i}-EWR-{at:%Y%m%dT%H%M}" for i, at in enumerate(predict_at)],
            "predict_date": predict_at.tz_localize(None).normalize(),
            "predict_at": predict_at.tz_localize(None),
            "carrier": pd.Series(carrier, dtype=object),
            "origin": pd.Series(random.choice(["EWR", "JFK", "LGA"], n), dtype=object),
            "backlog": np.where(random.random(n) < 0.05, np.nan, backlog),
            "pressure": pressure,
            **{f"noise_{i}": random.normal(size=n) for i in range(n_noise)},
            "is_late": random.random(n) < 1 / (1 + np.exp(-logit)),
            "label_known_at": predict_at.tz_localize(None) + timedelta(hours=5),
        }
    )
    frame.loc[random.random(n) < 0.02, "carrier"] = None
    return frame


FEATURES = ("carrier", "origin", "backlog", "pressure", "noise_0", "noise_1", "noise_2")


def training_params(**changes):
    """Small and fast: two folds of five days, few trials."""
    from lakehouse_ml.pipelines.training.params import TrainingParams

    return TrainingParams.model_validate(
        {
            "holdout_days": 7,
            "label_wait_hours": 24,
            "enough": {"rows": 100, "days": 10, "positives": 5},
            "validation": {"folds": 2, "fold_days": 5},
            "tuning": {
                "days": 8,
                "trials": {"baseline": 3, "challenger": 3},
                "startup_trials": 2,
                "max_rounds": 20,
                "round_step": 5,
            },
            **changes,
        }
    )


def training_rows(n_days: int = 40, rows_per_day: int = 40, seed: int = 0) -> pd.DataFrame:
    """History and validation folds before a holdout of seven days, as ``split`` gives them."""
    from lakehouse_ml.pipelines.training.periods import periods_of
    from lakehouse_ml.pipelines.training.split import with_folds

    rows = labelled_frame(n_days, rows_per_day, seed).rename(columns={"is_late": "label"})
    periods = periods_of(FIRST_DAY + timedelta(days=n_days), training_params())
    is_before = rows["predict_at"] <= pd.Timestamp(periods.last_asked_at).tz_localize(None)
    return with_folds(rows[is_before], periods)
