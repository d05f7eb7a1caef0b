"""Work on blocks of days."""

from datetime import timedelta

import pandas as pd
import pytest

from lakehouse_ml.lakehouse.day_blocks import by_day_blocks

DAY_US = 24 * 3600 * 10**6
LOOKBACK = timedelta(days=3)


def count_known(asked: pd.DataFrame, records: pd.DataFrame) -> pd.DataFrame:
    published = records["published_us"].to_numpy()
    known = [((published <= at) & (at - published <= 3 * DAY_US)).sum() for at in asked["predict_us"]]
    return pd.DataFrame({"predict_us": asked["predict_us"], "known": known})


@pytest.mark.parametrize("days", [1, 4, 30])
def test_gives_every_block_the_records_that_reach_it(spark, days):
    asked = [day * DAY_US + 7 for day in (10, 11, 12, 40)]
    records = spark.createDataFrame([(day * DAY_US,) for day in (7, 8, 9, 11, 30, 50)], "published_us bigint")
    built = by_day_blocks(
        spark.createDataFrame([(at,) for at in asked], "predict_us bigint"),
        records,
        count_known,
        "predict_us bigint, known bigint",
        LOOKBACK,
        timedelta(days=days),
    )
    assert sorted(map(tuple, built.collect())) == list(zip(asked, [2, 2, 1, 0], strict=True))
