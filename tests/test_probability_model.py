import numpy as np
import pandas as pd
import pytest
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression

from builders import FEATURES, labelled_frame
from lakehouse_ml.probability_model import MAX_CATEGORIES, ProbabilityModel

ROWS = labelled_frame(30, 60)


@pytest.fixture(scope="module")
def model():
    trees = HistGradientBoostingClassifier(
        categorical_features="from_dtype", early_stopping=False, max_iter=15, random_state=0
    )
    return ProbabilityModel(trees).fit(ROWS[list(FEATURES)], ROWS["is_late"].to_numpy())


@pytest.fixture(scope="module")
def wide():
    """A model of many columns, and its rows."""
    generator = np.random.default_rng(0)
    rows = pd.DataFrame(generator.normal(size=(1001, 80))).rename(columns=str)
    return ProbabilityModel(LogisticRegression()).fit(rows, generator.random(len(rows)) < 0.3), rows


def test_answers_one_probability_per_row(model):
    score = model.predict(ROWS)
    assert score.shape == (len(ROWS),)
    assert score.dtype == np.float64
    assert 0 <= score.min() < score.max() <= 1


def test_the_order_of_columns_and_further_columns_change_nothing(model):
    np.testing.assert_array_equal(model.predict(ROWS), model.predict(ROWS[list(FEATURES)[::-1]]))


@pytest.mark.parametrize(
    "sent",
    [
        lambda rows: rows.assign(carrier=rows["carrier"].astype("category")),
        lambda rows: rows.assign(carrier=rows["carrier"].astype("string")),
        lambda rows: rows.assign(carrier=rows["carrier"].where(rows["carrier"].notna(), np.nan)),
        lambda rows: rows.assign(backlog=rows["backlog"].astype(object).where(rows["backlog"].notna(), None)),
        lambda rows: rows.assign(carrier=rows["carrier"].where(rows["carrier"].notna(), "never seen")),
    ],
    ids=["category", "pandas string", "NaN string", "None number", "unknown as missing"],
)
def test_every_way_to_send_the_same_rows_gets_the_same_answer(model, sent):
    np.testing.assert_array_equal(model.predict(sent(ROWS)), model.predict(ROWS))


def test_a_missing_column_is_named(model):
    with pytest.raises(ValueError, match="lacks: backlog, pressure"):
        model.predict(ROWS.drop(columns=["pressure", "backlog"]))


def test_a_word_where_a_number_belongs_is_refused_by_name(model):
    with pytest.raises(ValueError, match="pressure: must be a number"):
        model.predict(ROWS.assign(pressure="high"))


def test_rare_categories_beyond_the_most_frequent_count_as_missing():
    n = MAX_CATEGORIES + 50
    names = pd.Series([f"c{i:03}" for i in range(n)] + [f"c{i:03}" for i in range(60, n)], dtype=object)
    trees = HistGradientBoostingClassifier(categorical_features="from_dtype", max_iter=2, random_state=0)
    model = ProbabilityModel(trees).fit(names.to_frame("city"), np.arange(len(names)) % 2 == 0)
    kept = model.categories_["city"]
    assert len(kept) == MAX_CATEGORIES
    assert set(kept) >= {f"c{i:03}" for i in range(60, n)}
    assert model.predict(pd.DataFrame({"city": ["c059"]})) == model.predict(pd.DataFrame({"city": [None]}))


@pytest.mark.parametrize("size", [1, 3, 7, 31, 333])
def test_a_row_has_the_very_same_probability_in_a_batch_of_any_size(wide, size):
    model, rows = wide
    asked = rows[: 60 * size]
    parts = [model.predict(asked[start : start + size]) for start in range(0, len(asked), size)]
    np.testing.assert_array_equal(np.concatenate(parts), model.predict(rows)[: len(asked)])
