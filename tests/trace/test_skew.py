from datetime import UTC, date, datetime
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd

from lakehouse_ml.lakehouse.run import Run
from lakehouse_ml.trace.skew import Batch, Compared, compare, equal_cells

BATCH = Batch(Run("run-1", datetime(2013, 3, 5, tzinfo=UTC), {}), 7, "3", "d", (date(2013, 3, 4),))
SEEN = pd.DataFrame({"x": [0.1, np.nan, 3.0], "city": ["a", None, "b"]}, index=["k1", "k2", "k3"])
# As the model does: missing counts as nothing.
MODEL = SimpleNamespace(predict=lambda frame: frame["x"].fillna(0).to_numpy() / 10)
SERVED = pd.DataFrame({"key": ["k3", "k1", "k2"], "score": [0.3, 0.01, 0.0]})


def compared(again: pd.DataFrame = SEEN, today: pd.DataFrame = SEEN, **changes: Any) -> Compared:
    return compare(BATCH, SERVED.assign(**changes), SEEN, again, today, MODEL)


def test_rows_that_are_the_same_are_all_equal_in_any_order_missing_values_included() -> None:
    found = compared(again=SEEN.iloc[::-1][["city", "x"]])
    assert (found.rows, found.same_score, found.same_features, found.restated) == (3, 3, 3, 0)
    assert found.equal_share == 1


def test_a_feature_that_differs_in_its_last_digit_is_skew_and_named() -> None:
    found = compared(again=SEEN.assign(x=[np.nextafter(0.1, 1), np.nan, 3.0]))
    assert (found.same_features, found.differing) == (2, ("x",))
    assert found.equal_share == 2 / 3


def test_a_value_that_is_missing_on_one_side_is_skew() -> None:
    assert compared(again=SEEN.assign(city=["a", "c", "b"])).differing == ("city",)
    assert compared(again=SEEN.assign(city=[None, None, "b"])).differing == ("city",)


def test_a_row_that_is_not_built_again_is_skew() -> None:
    found = compared(again=SEEN.drop("k3"))
    assert found.same_features == 2
    nothing = SEEN.assign(x=np.nan, city=None)
    assert compare(BATCH, SERVED, nothing, nothing.drop("k3"), nothing, MODEL).same_features == 2


def test_a_score_that_differs_is_skew_though_the_features_are_the_same() -> None:
    found = compared(score=[0.3, 0.01, 0.001])
    assert (found.same_score, found.same_features) == (2, 3)
    assert found.equal_share < 1


def test_a_score_that_differs_in_its_last_bit_is_skew() -> None:
    assert compared(score=[0.3, np.nextafter(0.01, 1), 0.0]).equal_share == 2 / 3


def test_a_row_is_equal_only_when_both_its_score_and_its_features_are() -> None:
    found = compared(again=SEEN.assign(city=["a", None, "c"]), score=[0.3, 0.02, 0.0])
    assert (found.same_score, found.same_features, found.equal) == (2, 2, 1)
    assert found.equal_share == 1 / 3


def test_features_corrected_since_are_restated_and_no_skew() -> None:
    found = compared(today=SEEN.assign(x=[0.2, np.nan, 3.0]))
    assert (found.equal_share, found.restated) == (1, 1)


def test_nothing_compared_is_not_all_equal() -> None:
    nothing = compare(BATCH, SERVED[:0], SEEN, SEEN, SEEN, MODEL)
    assert nothing.equal_share == 0


def test_cells_are_equal_when_they_are_the_same_or_both_missing() -> None:
    one = pd.DataFrame({"x": [1.0, np.nan, np.nan], "t": ["a", None, "b"]})
    other = pd.DataFrame({"x": [1.0, np.nan, 0.0], "t": ["a", None, None]})
    assert equal_cells(one, other).tolist() == [[True, True], [True, True], [False, False]]
