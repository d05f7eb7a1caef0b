"""What `kedro explain` shows of an explanation, and `kedro skew` of what was made again."""

from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from types import SimpleNamespace

import pandas as pd
import pytest
from click.testing import CliRunner, Result
from rich.console import Console

from lakehouse_ml.cli import skew as cli_skew
from lakehouse_ml.cli.trace import explanation_page
from lakehouse_ml.lakehouse.run import Run
from lakehouse_ml.registry import ModelReference
from lakehouse_ml.trace.answers import Answered
from lakehouse_ml.trace.entity import LandedLine, StoredPrediction
from lakehouse_ml.trace.explain import Explanation
from lakehouse_ml.trace.skew import Batch, Compared, NotCompared

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


def test_of_each_line_it_is_told_whether_it_was_known_was_published_later_or_was_not_there() -> None:
    stored = StoredPrediction("key", AT, "champion", "1", "d" * 64, 0.6, 0.5, True, 7, "run", AT)
    lines = tuple(
        LandedLine("visits", f"{name}.gz", 1, AT + timedelta(hours=hours), "{}", was_there)
        for name, hours, was_there in (("known", -1, True), ("after", 1, True), ("corrected", -1, False))
    )
    parts = pd.Series([0.1], index=["hour"])
    console = Console(width=100, quiet=False)
    with console.capture() as captured:
        console.print(explanation_page(Explanation(stored, lines, pd.Series({"hour": 3.0}), parts, 0.6)))
    told = {line.split()[-3]: line.split()[2:-3] for line in captured.get().splitlines() if ".gz" in line}
    assert told == {"known.gz": ["yes"], "after.gz": ["later"], "corrected.gz": ["no,", "came", "later"]}


def batch(run_id: str) -> Batch:
    return Batch(Run(run_id, AT, {}), 7, "1", "d" * 64, (date(2013, 2, 24),))


EQUAL = Compared(batch("run-2"), 9, 9, 9, 9, restated=0, differing=())
GONE = NotCompared(batch("run-1"), "gold.features cannot be read at version 7")


def told(
    monkeypatch: pytest.MonkeyPatch, *found: Compared | NotCompared, answers: Sequence[Answered] = ()
) -> Result:
    """What `kedro skew` says of batches and answers."""
    made_again = {one.batch.run.run_id: one for one in found}
    monkeypatch.setattr(cli_skew, "opened", lambda *_: nullcontext((None, None)))
    monkeypatch.setattr(cli_skew, "_batches", lambda *_: [one.batch for one in found])
    monkeypatch.setattr(cli_skew, "_compared", lambda _, one, __: made_again[one.run.run_id])
    monkeypatch.setattr(cli_skew, "_answered", lambda *_: answers)
    return CliRunner().invoke(cli_skew.skew, obj=SimpleNamespace(project_path=None))


def test_a_batch_that_cannot_be_made_again_is_listed_beside_those_that_can(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    found = told(monkeypatch, GONE, EQUAL)
    assert found.exit_code == 0, found.output
    assert "not compared" in found.output
    assert "run-1: not compared: gold.features cannot be read at version 7" in " ".join(found.output.split())


def test_where_nothing_could_be_made_again_nothing_is_taken_for_equal(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    found = told(monkeypatch, GONE)
    assert found.exit_code == 1
    assert "no batch could be made again" in found.output


def test_answers_are_looked_at_where_no_batch_was_served(monkeypatch: pytest.MonkeyPatch) -> None:
    skewed = Answered(ModelReference("3", "d"), 9, 9, 8, 0, 0, ())
    found = told(monkeypatch, answers=[skewed])
    assert found.exit_code == 1
    assert "answers of version 3" in found.output
    assert told(monkeypatch, answers=[replace(skewed, equal=9)]).exit_code == 0
    nothing = told(monkeypatch)
    assert (nothing.exit_code, "nothing was served in the last 7 days" in nothing.output) == (1, True)


def test_what_may_be_behind_a_difference_is_named_with_it(monkeypatch: pytest.MonkeyPatch) -> None:
    unequal = replace(EQUAL, equal=8, differing=("pages",), doubts=("silver.visits was built again",))
    found = told(
        monkeypatch, unequal, replace(EQUAL, batch=batch("run-3"), doubts=("silver.sales was, too",))
    )
    assert found.exit_code == 1
    assert "1 of 2 runs: pages; silver.visits was built again" in " ".join(found.output.split())
    assert "silver.sales" not in found.output
