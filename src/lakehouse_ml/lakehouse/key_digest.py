"""Which rows, in one word: two sets of keys have the same digest only when they are the same."""

import hashlib
from collections.abc import Iterable

from pyspark.sql import Column
from pyspark.sql import functions as F

# No key holds one.
_BETWEEN = "\n"


def digest_of_keys(keys: Iterable[str]) -> str:
    """SHA-256 (hex) over the keys, whatever their order; a key that stands twice counts twice."""
    return hashlib.sha256(_BETWEEN.join(sorted(keys)).encode()).hexdigest()


def key_digest(key: Column) -> Column:
    """The same as an aggregate of Spark, but over the keys without those that stand again."""
    return F.sha2(F.array_join(F.array_sort(F.collect_set(key)), _BETWEEN), 256)
