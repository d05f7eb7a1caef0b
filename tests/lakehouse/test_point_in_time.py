"""What was known at an instant."""

from datetime import timedelta

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from lakehouse_ml.lakehouse.point_in_time import as_of, known_until, micros

LOOKBACK = timedelta(microseconds=7)
REVISION = st.tuples(st.integers(0, 2), st.integers(0, 12), st.text("abc", min_size=3, max_size=3))


def brute_force_known(rows: list[tuple[int, int, str]], record: int, at: int) -> set[tuple[int, int, str]]:
    known = [row for row in rows if row[0] == record and row[1] <= at < row[1] + 7]
    return {max(known, key=lambda row: row[1:])} if known else set()


@given(st.lists(REVISION, max_size=20, unique=True))
def test_knows_the_latest_revision_until_the_next_one_or_the_end_of_the_lookback(rows):
    record = np.array([row[0] for row in rows], np.int64)
    published = np.array([row[1] for row in rows], np.int64)
    until = known_until(record, published, np.array([row[2] for row in rows], object), LOOKBACK)
    for code in range(3):
        for at in range(22):
            holds = (record == code) & (published <= at) & (at < until)
            assert {rows[i] for i in np.flatnonzero(holds)} == brute_force_known(rows, code, at)


def test_lets_the_highest_revision_count_of_several_published_at_once():
    published = np.array([5, 5, 5], np.int64)
    revisions = np.array(["b", "c", "a"], object)
    until = known_until(np.zeros(3, np.int64), published, revisions, LOOKBACK)
    assert until.tolist() == [5, 12, 5]


@given(
    st.lists(st.tuples(st.integers(0, 2), st.integers(0, 9)), max_size=20),
    st.lists(st.tuples(st.integers(0, 3), st.integers(-1, 10)), max_size=10),
)
def test_finds_the_last_row_of_the_group_up_to_the_instant(rows, asked):
    group, at = np.array(rows, np.int64).reshape(-1, 2).T
    asked_group, asked_at = np.array(asked, np.int64).reshape(-1, 2).T
    found = as_of(group, at, asked_group, asked_at)
    for position, (wanted, moment) in zip(found, asked, strict=True):
        known = [(t, i) for i, (g, t) in enumerate(rows) if g == wanted and t <= moment]
        assert position == (max(known)[1] if known else -1)


def test_counts_durations_in_whole_microseconds():
    assert micros(timedelta(days=90)) == 90 * 24 * 3600 * 10**6
