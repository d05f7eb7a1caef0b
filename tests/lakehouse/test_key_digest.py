from hypothesis import given
from hypothesis import strategies as st
from pyspark.sql import functions as F

from lakehouse_ml.lakehouse.key_digest import digest_of_keys, key_digest

KEYS = st.lists(st.text(st.characters(codec="utf-8", exclude_characters="\n"), min_size=1), unique=True)


@given(KEYS, st.randoms())
def test_the_order_of_the_keys_does_not_matter(keys, random):
    shuffled = random.sample(keys, len(keys))
    assert digest_of_keys(shuffled) == digest_of_keys(keys)


@given(KEYS, KEYS)
def test_other_keys_have_another_digest(keys, others):
    assert (digest_of_keys(keys) == digest_of_keys(others)) == (set(keys) == set(others))


def test_a_key_that_stands_twice_counts_twice():
    assert digest_of_keys(["a", "a"]) != digest_of_keys(["a"])


def test_spark_gives_the_same_digest_of_the_keys_each_once(spark):
    for keys in (["b", "a", "é", "\ufb00", "\U0001d4b6", "B", "a b", "10", "9"], ["a"], []):
        frame = spark.createDataFrame([(key,) for key in [*keys, *keys]], "key string")
        assert frame.agg(key_digest(F.col("key"))).collect()[0][0] == digest_of_keys(keys)
