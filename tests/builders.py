"""Made-up rows for tests: a test states only what matters to it."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd

FIRST_DAY = datetime(2013, 1, 1, tzinfo=UTC)


def labelled_frame(n_days: int = 60, rows_per_day: int = 40, seed: int = 0, n_noise: int = 3) -> pd.DataFrame:
    """Feature rows with a label of moderate skill, as ``labelled_rows`` gives them, in order of time.

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
            "predict_date": predict_at.date,
            "predict_at": predict_at,
            "carrier": pd.Series(carrier, dtype=object),
            "origin": pd.Series(random.choice(["EWR", "JFK", "LGA"], n), dtype=object),
            "backlog": np.where(random.random(n) < 0.05, np.nan, backlog),
            "pressure": pressure,
            **{f"noise_{i}": random.normal(size=n) for i in range(n_noise)},
            "is_late": random.random(n) < 1 / (1 + np.exp(-logit)),
            "label_known_at": predict_at + timedelta(hours=5),
        }
    )
    frame.loc[random.random(n) < 0.02, "carrier"] = None
    return frame


FEATURES = ("carrier", "origin", "backlog", "pressure", "noise_0", "noise_1", "noise_2")
