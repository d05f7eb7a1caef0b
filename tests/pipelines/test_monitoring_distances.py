import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lakehouse_ml.pipelines.monitoring import distances

counts = st.lists(st.integers(0, 10_000), min_size=2, max_size=12).filter(lambda c: sum(c) > 0)
pairs = st.integers(2, 12).flatmap(
    lambda n: st.tuples(
        *(st.lists(st.integers(0, 10_000), min_size=n, max_size=n).filter(sum) for _ in range(2))
    )
)
DISTANCES = (
    distances.population_stability_index,
    distances.js_distance,
    distances.tv_distance,
    distances.l_infinity_distance,
    lambda p, q: distances.ks_test(p, q)[0],
    lambda p, q: distances.wasserstein(p, q, np.arange(len(p), dtype=float)),
)


def as_counts(values: list[int]) -> distances.Counts:
    return np.array(values, dtype=np.int64)


@given(counts)
def test_equal_histograms_are_at_distance_zero(values: list[int]) -> None:
    for distance in DISTANCES:
        assert distance(as_counts(values), 3 * as_counts(values)) == pytest.approx(0, abs=1e-6)


@given(pairs)
def test_distances_are_symmetric_finite_and_not_negative(pair: tuple[list[int], list[int]]) -> None:
    p, q = (as_counts(side) for side in pair)
    for distance in DISTANCES:
        assert distance(p, q) == pytest.approx(distance(q, p), abs=1e-9)
        assert 0 <= distance(p, q) < np.inf


@given(pairs)
def test_bounded_distances_stay_within_one(pair: tuple[list[int], list[int]]) -> None:
    p, q = (as_counts(side) for side in pair)
    for distance in (distances.js_distance, distances.tv_distance, distances.l_infinity_distance):
        assert distance(p, q) <= 1 + 1e-12


def test_index_of_a_known_shift() -> None:
    index = distances.population_stability_index(as_counts([50, 50]), as_counts([25, 75]))
    assert index == pytest.approx(0.25 * np.log(2) - 0.25 * np.log(2 / 3))


def test_a_side_without_values_gives_no_distance() -> None:
    for distance in DISTANCES:
        assert np.isnan(distance(as_counts([0, 0]), as_counts([1, 2])))


def test_chi_squared_sees_a_shift_and_ignores_values_that_occur_nowhere() -> None:
    statistic, pvalue = distances.chi_squared_test(as_counts([500, 500, 0]), as_counts([300, 700, 0]))
    assert statistic > 50
    assert pvalue < 1e-6
    assert distances.chi_squared_test(as_counts([5, 0]), as_counts([9, 0])) == (0.0, 1.0)
    assert np.isnan(distances.chi_squared_test(as_counts([0, 0]), as_counts([9, 1]))[0])


def test_mass_moved_by_one_bin_is_one_width_away() -> None:
    centres = distances.bin_centres(np.array([10.0, 20.0]), 0.0, 30.0)
    assert distances.wasserstein(as_counts([4, 0, 0]), as_counts([0, 4, 0]), centres) == pytest.approx(10)


def test_values_are_aligned_by_name_with_the_rest_last() -> None:
    p, q = distances.aligned({"b": 2}, 1, {"a": 5}, 0)
    assert p.tolist() == [0, 2, 1]
    assert q.tolist() == [5, 0, 0]
