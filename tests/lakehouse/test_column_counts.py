from datetime import date, timedelta

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lakehouse_ml.lakehouse.column_counts import (
    Counts,
    count_numbers,
    count_texts,
    counter,
    counts_by_day,
    day_counts,
    total,
)

EDGES = [-1.0, 0.0, 2.5]
DAY = date(2013, 3, 4)
NUMBERS = st.lists(st.none() | st.floats(-1e6, 1e6) | st.just(float("nan")), max_size=40)
TEXTS = st.lists(st.none() | st.sampled_from("abcde"), max_size=40)


def numbers(values: list) -> Counts:
    return count_numbers(pa.array(values, pa.float64()), EDGES)


def same(one: Counts, other: Counts) -> None:
    assert one.mean == pytest.approx(other.mean)
    assert one.deviation == pytest.approx(other.deviation, rel=1e-6, abs=1e-6)
    for name in ("count", "nulls", "nans", "zeros", "smallest", "largest", "bins", "items", "registers"):
        assert getattr(one, name) == getattr(other, name), name


@given(NUMBERS, NUMBERS)
def test_counts_of_two_parts_add_up_to_the_counts_of_the_whole(one: list, other: list) -> None:
    same(numbers(one) + numbers(other), numbers(one + other))


@given(TEXTS, TEXTS)
def test_so_do_those_of_text(one: list, other: list) -> None:
    parts, whole = (
        count_texts(pa.array(one, pa.string())) + count_texts(pa.array(other, pa.string())),
        count_texts(pa.array(one + other, pa.string())),
    )
    same(parts, whole)


@given(NUMBERS)
def test_nothing_adds_nothing(values: list) -> None:
    same(Counts() + numbers(values), numbers(values))
    same(numbers(values) + Counts(), numbers(values))


@given(
    st.lists(st.tuples(st.integers(0, 13), st.none() | st.floats(-9, 9)), min_size=1, max_size=60), st.data()
)
def test_days_merge_into_weeks_and_weeks_into_all_however_the_rows_are_split(
    rows: list[tuple[int, float | None]], data: st.DataObject
) -> None:
    cut = data.draw(st.integers(0, len(rows)))
    parts = [part for half in (rows[:cut], rows[cut:]) for part in counted(half)]
    days = counts_by_day(data.draw(st.permutations(parts)))
    week = total(of["x"] for day, of in days.items() if day < DAY + timedelta(days=7))
    same(week, numbers([value for place, value in rows if place < 7]) if week.count else Counts())
    same(total(of["x"] for of in days.values()), numbers([value for _, value in rows]))


def counted(rows: list[tuple[int, float | None]]) -> list[dict]:
    days = pa.array([DAY + timedelta(days=place) for place, _ in rows], pa.date32())
    batch = pa.record_batch({"day": days, "x": pa.array([value for _, value in rows], pa.float64())})
    return list(day_counts(batch, "day", {"x": EDGES}, ()))


def test_null_is_missing_and_nan_is_no_number() -> None:
    found = numbers([None, float("nan"), float("inf"), 0.0, 3.0])
    assert (found.count, found.nulls, found.nans, found.zeros, found.present) == (5, 1, 2, 1, 2)
    assert found.bins == (0, 1, 0, 1)
    assert (found.mean, found.smallest, found.largest) == (1.5, 0.0, 3.0)


def test_parts_survive_the_way_through_arrow() -> None:
    batch = pa.record_batch(
        {"day": pa.array([DAY, DAY], pa.date32()), "x": pa.array([1.0, None]), "t": pa.array(["a", None])}
    )
    (sent,) = counter("day", {"x": EDGES}, ("t",))(iter([batch]))
    of_day = counts_by_day(sent.to_pylist())[DAY]
    same(of_day["x"], numbers([1.0, None]))
    assert (of_day["t"].items, of_day["t"].nulls) == ({"a": 1}, 1)
