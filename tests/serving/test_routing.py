from hypothesis import given, settings
from hypothesis import strategies as st

from lakehouse_ml.serving.routing import goes_to_challenger

KEYS = [f"UA{number}-JFK-20130901T1200" for number in range(10_000)]
percents = st.floats(0, 100)


@settings(max_examples=20)
@given(percents)
def test_the_share_of_the_keys_is_the_one_that_was_asked_for(percent: float) -> None:
    share = sum(goes_to_challenger(key, percent) for key in KEYS) / 100
    # Five standard deviations of a binomial share of 10,000.
    assert abs(share - percent) <= 5 * (percent * (100 - percent) / 1e4) ** 0.5 + 0.05


@given(st.text(), percents, percents)
def test_a_larger_share_holds_all_keys_of_a_smaller_one(key: str, one: float, other: float) -> None:
    small, large = sorted((one, other))
    assert goes_to_challenger(key, small) <= goes_to_challenger(key, large)


@given(st.text())
def test_nobody_goes_at_nothing_and_everybody_at_all(key: str) -> None:
    assert not goes_to_challenger(key, 0)
    assert goes_to_challenger(key, 100)


def test_a_key_goes_where_it_always_went() -> None:
    # Written down: another hash would move keys between versions at an upgrade.
    assert [number for number in range(40) if goes_to_challenger(KEYS[number], 10)] == [22, 23, 25, 29]
