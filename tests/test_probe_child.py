import json
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from lakehouse_ml.probe_child import NEEDED, answers, harmless, malformed, unpinned

ROWS = pd.DataFrame({"carrier": ["AA", "B6", "UA"], "hour": [6.0, 7.0, 8.0], "wind_kn": [1.0, 2.0, np.nan]})
PINNED = [f"{name}=={version(name)}" for name in NEEDED]


class Lenient:
    """Minds everything but one thing about its last column."""

    def __init__(self, forgives: str) -> None:
        self.forgives = forgives

    def predict(self, frame: pd.DataFrame) -> "np.ndarray":
        if self.forgives == "absent":
            frame = frame.reindex(columns=[*frame.columns.drop("wind_kn", errors="ignore"), "wind_kn"])
        if self.forgives == "text":
            frame = frame.assign(wind_kn=pd.to_numeric(frame["wind_kn"], errors="coerce"))
        if any(isinstance(value, float) for value in frame["carrier"]):
            raise TypeError("carrier must be text")
        return 0.5 + 0 * frame["hour"].astype(float).to_numpy() + 0 * frame["wind_kn"].astype(float).fillna(0)


def test_the_first_and_last_column_of_each_type_is_left_out_and_given_another_type():
    rows = ROWS.assign(hour_of_day=1.0)[["carrier", "hour", "hour_of_day", "wind_kn"]]
    assert list(malformed(rows)) == [
        "no columns",
        "without carrier",
        "without hour",
        "without wind_kn",
        "a number in carrier",
        "text in hour",
        "text in wind_kn",
    ]


@pytest.mark.parametrize(
    ("forgives", "swallowed"), [("", []), ("absent", ["without wind_kn"]), ("text", ["text in wind_kn"])]
)
def test_a_model_that_forgives_a_fault_of_its_last_column_is_found_out(forgives, swallowed):
    model = Lenient(forgives)
    assert [name for name, request in malformed(ROWS).items() if answers(model, request)] == swallowed


def test_a_further_column_does_no_harm():
    assert answers(Lenient(""), harmless(ROWS)["a further column"])


def test_pins_of_what_loads_a_model_are_asked_for():
    assert unpinned("\n".join([*PINNED, ""])) == []
    assert unpinned("") == [f"{name} is absent" for name in NEEDED]
    assert unpinned("\n".join(PINNED[:-1])) == ["skops is absent"]


@pytest.mark.parametrize("loose", ["skops", "skops>=0.1", "skops==0.0.1", "-r other.txt"])
def test_a_requirement_that_pins_nothing_is_named(loose):
    assert loose in unpinned("\n".join([*PINNED[:-1], loose]))


def test_a_trial_makes_no_store_of_its_own(mlflow_template: Path, tmp_path: Path):
    # The template's model scores a tenth of the hour.
    golden = pd.DataFrame({"hour": [1.0, 2.0], "wind_kn": [0.0, 1.0], "score": [0.1, 0.2]})
    golden.to_parquet(tmp_path / "golden.parquet")
    command = [sys.executable, "-I", "-m", "lakehouse_ml.probe_child", str(mlflow_template / "model")]
    subprocess.run(command, cwd=tmp_path, check=True, capture_output=True)
    assert sorted(file.name for file in tmp_path.iterdir()) == ["answer.json", "golden.parquet"]
    assert json.loads((tmp_path / "answer.json").read_text())["odd_scores"] == 0
