from datetime import UTC, date, datetime, timedelta

import pytest

from builders import training_params
from lakehouse_ml.replay.reach import Reach, refuse_beyond
from lakehouse_ml.replay.steps import ReplayError, moments

WEEK = timedelta(days=7)
# Ten days of history, two folds of five days, and a holdout of seven.
EARLIEST = datetime(2013, 1, 28, tzinfo=UTC)
END = EARLIEST + 4 * WEEK
REACH = Reach(date(2013, 1, 1), END)


def refuse(start: datetime, end: datetime) -> None:
    refuse_beyond(moments(start, end, WEEK), REACH, training_params())


def test_what_the_feed_can_feed_is_played() -> None:
    refuse(EARLIEST, END)
    # The last step still finds a day.
    refuse(EARLIEST + timedelta(days=6), END + timedelta(days=6))


def test_a_start_without_history_enough_is_refused_by_the_earliest_one() -> None:
    words = r"--from=2013-01-27T23:00 is too early to train: give 2013-01-28 or later, for 10 days of history"
    with pytest.raises(ReplayError, match=words):
        refuse(EARLIEST - timedelta(hours=1), END)


def test_a_step_after_the_end_of_the_feed_is_refused() -> None:
    words = r"--to=2013-03-04T00:00: the last step begins at 2013-02-25T00:00, and nothing arrives after 2013-02-25"
    with pytest.raises(ReplayError, match=words):
        refuse(EARLIEST, END + WEEK)
