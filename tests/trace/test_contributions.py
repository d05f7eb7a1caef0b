import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lakehouse_ml.trace.contributions import contributions


class Weighted:
    """A score that is a weighted sum, so that every feature's part is known."""

    def __init__(self, **weights: float) -> None:
        self.weights = weights

    def predict(self, frame: pd.DataFrame) -> np.ndarray:
        return sum(frame[name].to_numpy(dtype=float) * weight for name, weight in self.weights.items())


NUMBERS = st.floats(-5, 5, allow_nan=False)


@settings(max_examples=25)
@given(st.lists(NUMBERS, min_size=3, max_size=3), st.lists(NUMBERS, min_size=3, max_size=3))
def test_of_a_sum_each_part_is_what_the_feature_adds_over_the_usual(row, usual):
    names = ["a", "b", "c"]
    model = Weighted(a=0.5, b=-2.0, c=0.0)
    found = contributions(
        model, pd.DataFrame([row], columns=names), pd.DataFrame([usual], columns=names), 1, 5
    )
    for name, value, start in zip(names, row, usual, strict=True):
        assert found[name] == pytest.approx(model.weights[name] * (value - start), abs=1e-9)


def test_the_parts_add_up_to_the_score_minus_the_usual_one():
    draw = np.random.default_rng(0)
    background = pd.DataFrame({"a": draw.normal(size=20), "b": draw.normal(size=20)})

    class Product:
        def predict(self, frame: pd.DataFrame) -> np.ndarray:
            return (frame["a"] * frame["b"]).to_numpy()

    row = pd.DataFrame({"a": [2.0], "b": [3.0]})
    found = contributions(Product(), row, background.head(1), 1)
    assert found.sum() == pytest.approx(6.0 - background["a"][0] * background["b"][0])


def test_text_and_missing_values_are_taken_as_they_are():
    class Named:
        def predict(self, frame: pd.DataFrame) -> np.ndarray:
            return np.where(frame["who"] == "a", 0.9, 0.1) + np.where(frame["x"].isna(), 0.05, 0.0)

    row = pd.DataFrame({"who": ["a"], "x": [np.nan]})
    background = pd.DataFrame({"who": ["b", None], "x": [1.0, 2.0]})
    found = contributions(Named(), row, background, 1)
    assert dict(found.round(9)) == {"who": 0.8, "x": 0.05}


def test_the_same_seed_gives_the_same_parts_and_the_largest_comes_first():
    row = pd.DataFrame({"a": [1.0], "b": [1.0]})
    background = pd.DataFrame({"a": np.arange(5.0), "b": np.zeros(5)})
    model = Weighted(a=0.1, b=3.0)
    first, again = (contributions(model, row, background, 3) for _ in range(2))
    assert first.equals(again)
    assert list(first.index) == ["b", "a"]
