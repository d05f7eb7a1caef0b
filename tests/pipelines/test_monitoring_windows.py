"""Windows of whole days."""

from datetime import date, timedelta
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from lakehouse_ml.pipelines.monitoring.windows import Window, joined

FIRST = date(2013, 1, 1)
WINDOWS = st.lists(
    st.builds(
        lambda start, days: Window(FIRST + timedelta(days=start), FIRST + timedelta(days=start + days)),
        st.integers(0, 60),
        st.integers(1, 9),
    )
)


@given(WINDOWS)
def test_joined_windows_cover_the_same_days_once_and_never_touch(windows: list[Window]) -> None:
    found = joined(windows)
    days = [day for window in found for day in window.each_day()]
    assert days == sorted({day for window in windows for day in window.each_day()})
    assert all(one.end < other.start for one, other in pairwise(found))


def test_days_in_a_row_are_one_window() -> None:
    days = [FIRST + timedelta(days=place) for place in range(200)]
    assert joined(Window(day, day + timedelta(days=1)) for day in days) == [
        Window(FIRST, FIRST + timedelta(days=200))
    ]
