from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from lakehouse_ml.pipelines.inference.due import DueParams, due_days

FOUR_WEEKS = DueParams(lookback_days=28)
AS_OF = datetime(2013, 10, 1, 6, tzinfo=UTC)


def test_the_lookback_bounds_the_days():
    assert due_days(AS_OF, date(2013, 5, 1), FOUR_WEEKS) == (date(2013, 9, 3), date(2013, 10, 1))


def test_days_that_the_champion_was_trained_on_are_never_due():
    assert due_days(AS_OF, date(2013, 9, 20), FOUR_WEEKS) == (date(2013, 9, 20), date(2013, 10, 1))


def test_a_champion_trained_past_now_leaves_no_day():
    first, last = due_days(AS_OF, date(2013, 10, 2), FOUR_WEEKS)
    assert first > last


@given(
    st.integers(0, 24 * 365).map(lambda hours: AS_OF + timedelta(hours=hours)),
    st.dates(date(2013, 1, 1), date(2015, 1, 1)),
    st.integers(1, 90),
)
def test_no_day_is_both_due_and_trained_on_or_in_the_future(as_of, trained_until, lookback):
    first, last = due_days(as_of, trained_until, DueParams(lookback_days=lookback))
    assert first >= trained_until
    assert last == as_of.date()
    assert (last - first).days <= lookback


def test_a_backfill_names_its_days_and_ends_now_at_the_latest():
    asked = DueParams(lookback_days=28, first_day=date(2013, 2, 1), last_day=date(2014, 2, 1))
    assert due_days(AS_OF, date(2013, 9, 20), asked) == (date(2013, 2, 1), AS_OF.date())


@pytest.mark.parametrize(
    "params",
    [
        {},
        {"lookback_days": 0},
        {"lookback_days": 28, "days": 1},
        {"lookback_days": 28, "first_day": "2013-01-01"},
        {"lookback_days": 28, "first_day": "2013-01-02", "last_day": "2013-01-01"},
    ],
)
def test_params_that_are_missing_out_of_range_or_misspelt_are_refused(params):
    with pytest.raises(ValidationError):
        DueParams.model_validate(params)
