import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lakehouse_ml.lakehouse.distinct_sketch import distinct_count, distinct_registers, merged_registers


@given(st.integers(0, 30_000), st.integers(0, 30_000))
def test_distinct_values_are_counted_to_a_few_percent_and_merge(one: int, other: int) -> None:
    generator = np.random.default_rng(one)
    values = generator.normal(size=one + other)
    merged = merged_registers(distinct_registers(values[:one]), distinct_registers(values[one:]))
    assert merged == distinct_registers(values)
    # Four standard errors.
    assert distinct_count(merged) == pytest.approx(one + other, rel=0.13, abs=2)


def test_the_same_values_again_change_nothing() -> None:
    values = np.array([0.0, -0.0, 1.5, 1.5, 7.0])
    assert distinct_count(distinct_registers(values)) == 3
    assert merged_registers(distinct_registers(values), b"") == distinct_registers(values[[0, 2, 4]])
    assert distinct_count(b"") == 0
