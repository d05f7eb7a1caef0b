from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lakehouse_ml.pipelines.ingestion.open_run import AsOfError, resolve_as_of

FIRST, NEWEST = datetime(2013, 1, 1, tzinfo=UTC), datetime(2013, 1, 5, tzinfo=UTC)
INSTANTS = st.datetimes(FIRST.replace(tzinfo=None), NEWEST.replace(tzinfo=None), timezones=st.just(UTC))


def test_by_default_now_is_the_end_of_the_newest_landed_period():
    assert resolve_as_of(None, FIRST, NEWEST, None) == NEWEST
    assert resolve_as_of(None, FIRST, NEWEST, FIRST) == NEWEST


def test_by_default_now_never_falls_behind_the_last_run():
    later = NEWEST + timedelta(hours=3)
    assert resolve_as_of(None, FIRST, NEWEST, later) == later


@pytest.mark.parametrize(
    ("given", "hour"),
    [("2013-01-02T05:00", 5), ("2013-01-02T05:00Z", 5), ("2013-01-02T05:00+02:00", 3), ("2013-01-02", 0)],
)
def test_a_given_now_is_utc_unless_it_says_otherwise(given, hour):
    assert resolve_as_of(given, FIRST, NEWEST, None) == datetime(2013, 1, 2, hour, tzinfo=UTC)


@pytest.mark.parametrize("given", ["yesterday", "2013-13-01", "", 5, True])
def test_what_is_no_time_is_refused_with_the_form_it_needs(given):
    with pytest.raises(AsOfError) as refused:
        resolve_as_of(given, FIRST, NEWEST, None)
    assert "must be a UTC time such as 2013-10-01T00:00" in str(refused.value)
    assert repr(given) in str(refused.value)


def test_a_now_before_the_first_data_is_refused_with_both_times():
    with pytest.raises(AsOfError, match="2012-12-31T23:00 lies before the first data, 2013-01-01T00:00 UTC"):
        resolve_as_of("2012-12-31T23:00", FIRST, NEWEST, None)


def test_a_now_before_the_last_run_is_refused_with_the_way_out():
    with pytest.raises(
        AsOfError, match="2013-01-02T00:00 lies before the last run's 2013-01-03T00:00 UTC"
    ) as refused:
        resolve_as_of("2013-01-02", FIRST, NEWEST, datetime(2013, 1, 3, tzinfo=UTC))
    assert "leave as_of out" in str(refused.value)


@given(st.none() | INSTANTS.map(datetime.isoformat), INSTANTS)
def test_now_moves_forwards_or_not_at_all(given, last):
    try:
        now = resolve_as_of(given, FIRST, NEWEST, last)
    except AsOfError:
        now = last
    assert now >= last
