from datetime import date

import numpy as np
import pandas as pd
import pytest

from lakehouse_ml.pipelines.evaluation.models import Measured
from lakehouse_ml.pipelines.evaluation.rows import GOLDEN_ROWS, golden_rows, newly_wrong

LABEL = [True, True, False, False]
ROWS = pd.DataFrame({"key": list("abcd"), "label": LABEL, "hour": [1.0, 2.0, 3.0, 4.0]})


def models(*roles: str) -> dict[str, Measured]:
    return {role: Measured(role, role[0] * 64, None, 0.5, 0.25, date(2013, 9, 1)) for role in roles}


@pytest.mark.parametrize("rows", [3, GOLDEN_ROWS, 10 * GOLDEN_ROWS])
def test_golden_rows_are_spread_over_the_holdout_with_every_models_score(rows):
    holdout = pd.DataFrame({"hour": np.arange(float(rows)), "label": True})
    scores = pd.DataFrame({"baseline": np.arange(rows) / rows, "challenger": 0.5})
    found = golden_rows(holdout, scores, models("baseline", "challenger"), features=("hour",))
    golden = found["b" * 64]
    assert len(golden) == min(rows, GOLDEN_ROWS)
    assert (golden["hour"].iloc[0], golden["hour"].iloc[-1]) == (0.0, rows - 1.0)
    assert (golden["score"] == golden["hour"] / rows).all()
    assert (found["c" * 64]["score"] == 0.5).all()
    assert list(golden.columns) == ["hour", "score"]


def test_newly_wrong_is_what_the_champion_had_right_by_the_size_of_the_change():
    scores = pd.DataFrame(
        {
            "challenger": [0.4, 0.1, 0.9, 0.1],
            "champion": [0.9, 0.4, 0.4, 0.1],
            "baseline": [0.9, 0.9, 0.1, 0.1],
        }
    )
    found = newly_wrong(ROWS, scores, models("baseline", "challenger", "champion"))
    wrong = found[found["role"] == "challenger"]
    # b was wrong before, d is right.
    assert list(wrong["key"]) == ["a", "c"]
    assert set(wrong["compared_to"]) == {"champion"}
    assert found[found["role"] == "baseline"].empty


def test_before_there_is_a_champion_the_baseline_is_what_counts():
    scores = pd.DataFrame({"challenger": [0.4, 0.9, 0.1, 0.1], "baseline": [0.9, 0.9, 0.1, 0.1]})
    found = newly_wrong(ROWS, scores, models("baseline", "challenger"))
    assert list(found[["key", "compared_to"]].itertuples(index=False, name=None)) == [("a", "baseline")]
