from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from lakehouse_ml.replay.steps import ReplayError, Step, StepRecords, moments

START = datetime(2013, 4, 1, tzinfo=UTC)
WEEK = timedelta(days=7)
STEPS = st.integers(6 * 60, 21 * 24 * 60).map(lambda minutes: timedelta(minutes=minutes))
STEP = Step("20130401T0000-1", START, {"silver.movements": 3, "gold.features": 2, "ops.runs": 1}, 12.5)


@given(STEPS, st.integers(1, 60))
def test_a_replay_goes_on_from_the_start_to_the_end_by_equal_steps(step: timedelta, count: int) -> None:
    nows = moments(START, START + count * step, step)
    assert (nows[0], nows[-1], len(nows)) == (START, START + count * step, count + 1)
    assert {later - now for now, later in pairwise(nows)} == {step}


@given(STEPS, st.timedeltas(timedelta(hours=6), 60 * WEEK))
def test_a_step_that_would_end_later_is_not_played(step: timedelta, length: timedelta) -> None:
    assume(length >= step)
    last = moments(START, START + length, step)[-1]
    assert last <= START + length < last + step


@pytest.mark.parametrize(
    ("end", "step", "words"),
    [
        (START, WEEK, "--to must lie a --step after --from"),
        (START + timedelta(days=3), WEEK, "to=2013-04-04T00:00, step=7 days"),
        (START - WEEK, WEEK, "--to must lie a --step after --from"),
        (START + WEEK, timedelta(0), "--step"),
    ],
)
def test_a_replay_without_steps_is_refused(end: datetime, step: timedelta, words: str) -> None:
    with pytest.raises(ReplayError, match=words):
        moments(START, end, step)


@pytest.mark.parametrize(
    ("start", "step"),
    [(START, timedelta(seconds=90)), (START + timedelta(seconds=30), WEEK)],
)
def test_steps_that_records_could_not_tell_apart_are_refused(start: datetime, step: timedelta) -> None:
    with pytest.raises(ReplayError, match=r"must be whole minutes: from=2013-04-01T00:00:\d\d, step="):
        moments(start, START + 2 * WEEK, step)


def test_a_step_on_record_is_found_again_and_another_is_not(tmp_path: Path) -> None:
    records = StepRecords(tmp_path / "steps")
    assert records.find(START) is None
    assert records.all() == []
    records.add(STEP)
    assert records.find(START) == STEP
    assert records.find(START + WEEK) is None
    assert [step.as_of for step in records.all()] == [START]


def test_a_record_that_a_kill_left_half_written_is_none(tmp_path: Path) -> None:
    (tmp_path / "2013-04-01T0000.half").write_text('{"run_id": "2013')
    assert StepRecords(tmp_path).find(START) is None
    assert StepRecords(tmp_path).all() == []


def test_a_policys_run_names_the_versions_of_bronze_and_silver_alone() -> None:
    assert STEP.run.versions == {"silver.movements": 3}
    assert (STEP.run.run_id, STEP.run.as_of) == ("20130401T0000-1", START)
