"""Sums over everything that counts at an instant."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lakehouse_ml.lakehouse.event_sums import EventSums, joint_codes, shared_codes

SPAN = st.tuples(
    st.integers(0, 3), st.integers(0, 40), st.integers(0, 40), st.integers(-9, 9), st.integers(-9, 9)
)
ASKED = st.tuples(st.integers(0, 3), st.integers(-5, 45))


def columns(rows: list[tuple[int, ...]], width: int) -> list[np.ndarray]:
    return list(np.array(rows, np.int64).reshape(-1, width).T)


def brute_force(spans: list[tuple[int, ...]], group: int, at: int) -> int:
    return sum(base + slope * at for g, start, end, base, slope in spans if g == group and start <= at < end)


@given(st.lists(SPAN, max_size=30), st.lists(ASKED, max_size=15))
def test_equals_adding_up_what_holds_at_each_instant(spans, asked):
    group, start, end, base, slope = columns(spans, 5)
    asked_group, asked_at = columns(asked, 2)
    total = EventSums(group, start, end, asked_group, asked_at).total(base, slope)
    assert total.tolist() == [brute_force(spans, group, at) for group, at in asked]


@given(st.lists(SPAN, max_size=30), st.lists(SPAN, max_size=30), st.lists(ASKED, min_size=1, max_size=15))
def test_does_not_depend_on_order_or_on_spans_of_other_times(spans, others, asked):
    elsewhen = [(group, start + 100, end + 100, base, slope) for group, start, end, base, slope in others]
    asked_group, asked_at = columns(asked, 2)
    totals = []
    for rows in (spans, [*elsewhen, *reversed(spans)]):
        group, start, end, base, slope = columns(rows, 5)
        totals.append(EventSums(group, start, end, asked_group, asked_at).total(base, slope).tolist())
    assert totals[0] == totals[1]


def test_stays_exact_when_running_sums_wrap_around():
    huge = np.array([2**62, 2**62, 2**62, 5], np.int64)
    start = np.array([0, 1, 2, 3], np.int64)
    sums = EventSums(np.zeros(4, np.int64), start, start + 1, np.zeros(1, np.int64), np.array([3], np.int64))
    assert sums.total(huge).tolist() == [5]


def test_refuses_codes_that_do_not_fit():
    with pytest.raises(OverflowError, match="fewer days"):
        joint_codes([np.array([2**40])], [np.array([0, 2**40])])


def test_gives_the_same_code_to_the_same_values_in_every_frame():
    left = pd.DataFrame({"a": ["x", "y", None], "b": [1, 1, 2]})
    right = pd.DataFrame({"a": ["y", None, "x"], "b": [1, 2, 2]})
    own, other = shared_codes(left, right)
    assert own[1] == other[0]
    assert own[2] == other[1]
    assert len({*own, *other}) == 4


def test_puts_every_row_in_one_group_when_there_are_no_columns():
    own, other = shared_codes(pd.DataFrame(index=range(2)), pd.DataFrame(index=range(3)))
    assert own.tolist() == [0, 0]
    assert other.tolist() == [0, 0, 0]
