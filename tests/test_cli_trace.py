"""What `kedro explain` shows of an explanation."""

from datetime import UTC, datetime

import pandas as pd
from rich.console import Console

from lakehouse_ml.cli.trace import explanation_page
from lakehouse_ml.trace.entity import StoredPrediction
from lakehouse_ml.trace.explain import Explanation

NAMES = [f"feature_{number}" for number in range(30)]
AT = datetime(2013, 2, 24, tzinfo=UTC)


def test_every_feature_is_shown_with_its_value_and_its_part() -> None:
    stored = StoredPrediction("key", AT, "champion", "1", "d" * 64, 0.6, 0.5, True, 7, "run", AT)
    parts = pd.Series([0.03 - number / 1000 for number in range(30)], index=NAMES)
    values = pd.Series([float(number) for number in range(30)], index=NAMES, dtype=object)
    console = Console(width=100, record=True, file=None, quiet=False)
    with console.capture() as captured:
        console.print(explanation_page(Explanation(stored, (), values, parts, 0.6)))
    words = captured.get().split()
    assert [name for name in NAMES if not {name, f"{name}:"} & set(words)] == []
    for part in parts:
        assert f"{part:+.4f}" in captured.get()
    assert "feature_29 29: +0.0010" in " ".join(words)
