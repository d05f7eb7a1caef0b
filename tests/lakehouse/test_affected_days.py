"""Which days a new record can change."""

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lakehouse_ml.lakehouse.affected_days import days_between, days_reached

FIRST, LAST = date(2013, 1, 1), date(2013, 3, 1)
NEW_YEAR = datetime(2013, 1, 1, tzinfo=UTC)


@given(
    published=st.timedeltas(timedelta(), timedelta(days=90)).map(lambda age: NEW_YEAR + age),
    lookback=st.timedeltas(timedelta(), timedelta(days=90)),
    age=st.floats(0, 1),
)
def test_holds_the_day_of_every_instant_that_a_record_reaches(published, lookback, age):
    at = published + age * lookback
    reached = days_reached([published.date()], lookback, LAST)
    assert (at.date() in reached) == (at.date() <= LAST)


@pytest.mark.parametrize(
    ("lookback", "days"), [(timedelta(), 1), (timedelta(hours=1), 2), (timedelta(days=2), 3), (None, 60)]
)
def test_goes_as_far_as_the_lookback_and_never_beyond_the_last_day(lookback, days):
    reached = days_reached([FIRST], lookback, LAST)
    assert reached == days_between(FIRST, min(LAST, FIRST + timedelta(days=days - 1)))


def test_joins_the_reach_of_all_records():
    reached = days_reached([FIRST, FIRST, date(2013, 1, 5)], timedelta(days=1), date(2013, 1, 5))
    assert reached == {date(2013, 1, 1), date(2013, 1, 2), date(2013, 1, 5)}


def test_reaches_nothing_when_published_after_the_last_day():
    assert days_reached([LAST + timedelta(days=1)], timedelta(days=90), LAST) == set()


def test_counts_both_ends():
    assert len(days_between(FIRST, FIRST)) == 1
    assert days_between(LAST, FIRST) == set()
