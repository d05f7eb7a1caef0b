import json
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd

from lakehouse_ml.registry import ModelReference
from lakehouse_ml.serving.columns import request_columns, typed_rows
from lakehouse_ml.trace.answers import Answered, answer_again, by_version
from serving_builders import USE_CASE, row

COLUMNS = request_columns(USE_CASE)
LOGGED = [column.name for column in COLUMNS if column.name not in ("key", "pilot")]
ROWS = [
    row("a"),
    row("b", hour=4.5, wind_kn=None, carrier='"UA"'),
    row("c", seats=None, gates=7, is_wet=True),
]
MODEL = SimpleNamespace(predict=lambda frame: frame["hour"].to_numpy() / 10 + frame["gates"].to_numpy() / 100)


def champion(*names: str) -> Any:
    return SimpleNamespace(version="1", digest="d", model=MODEL, feature_names=names or ("hour", "gates"))


def typed(rows: list[dict[str, Any]]) -> pd.DataFrame:
    return typed_rows({name: [one[name] for one in rows] for name in rows[0]}, COLUMNS)


def as_logged(rows: list[dict[str, Any]]) -> pd.DataFrame:
    """Rows of the log as silver has them: each value as JSON text, but for texts."""
    features = [
        {
            name: value if value is None or isinstance(value, str) else json.dumps(value)
            for name, value in one.items()
            if name in LOGGED
        }
        for one in rows
    ]
    score = MODEL.predict(typed(rows))
    log = pd.DataFrame({"key": [one["key"] for one in rows], "score": score, "features": features})
    return log.assign(model_version="1", model_digest="d")


def gold(rows: list[dict[str, Any]]) -> pd.DataFrame:
    return typed(rows).set_index("key")


def again(log: pd.DataFrame, *names: str, stored: list[dict[str, Any]] = ROWS) -> Answered:
    return answer_again(log, champion(*names), COLUMNS, gold(stored))


def test_answers_to_gold_rows_are_all_equal_missing_values_and_every_type_included() -> None:
    found = again(as_logged(ROWS))
    assert (found.rows, found.equal, found.in_gold, found.as_gold, found.differing) == (3, 3, 3, 3, ())
    assert not found.is_skewed


def test_a_score_that_differs_in_its_last_bit_is_skew() -> None:
    log = as_logged(ROWS)
    log.loc[1, "score"] = np.nextafter(log["score"][1], 1)
    found = again(log)
    assert (found.equal, found.is_skewed) == (2, True)


def test_other_features_than_golds_are_named_and_are_no_skew() -> None:
    found = again(as_logged([row("a", hour=9.0), *ROWS[1:], row("unknown")]))
    assert (found.rows, found.in_gold, found.as_gold, found.differing) == (4, 3, 2, ("hour",))
    assert not found.is_skewed


def test_what_the_log_leaves_out_is_not_made_again() -> None:
    hidden = again(as_logged(ROWS), "hour", "gates", "pilot")
    assert (hidden.rows, hidden.made_again, hidden.equal, hidden.is_skewed) == (3, 0, 0, False)
    log = as_logged(ROWS)
    # Before the feature was there.
    del log["features"][0]["gates"]
    older = again(log)
    assert (older.rows, older.made_again, older.equal, older.in_gold) == (3, 2, 2, 2)


def test_rows_from_before_a_contract_was_tightened_are_not_made_again() -> None:
    log = as_logged(ROWS)
    log["features"][0]["gates"] = None
    found = again(log)
    assert (found.rows, found.made_again, found.equal, found.is_skewed) == (3, 2, 2, False)
    # Such a row does not hide the others.
    log["score"] += 0.25
    assert (again(log).equal, again(log).is_skewed) == (0, True)
    log["features"][1]["gates"] = "north"
    assert again(log).made_again == 1
    log["features"] = [{**row, "gates": None} for row in log["features"]]
    assert (again(log).made_again, again(log).is_skewed) == (0, False)


def test_each_version_answers_for_itself() -> None:
    log = as_logged(ROWS).assign(model_version=["1", "2", "1"], model_digest=["d", "e", "d"])
    found = {reference: own["key"].tolist() for reference, own in by_version(log)}
    assert found == {ModelReference("1", "d"): ["a", "c"], ModelReference("2", "e"): ["b"]}
