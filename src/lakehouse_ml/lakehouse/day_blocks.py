"""Work on blocks of days with the lookback in front, so that memory stays bounded however long the history is."""

from collections.abc import Callable
from datetime import timedelta

import pandas as pd
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from lakehouse_ml.lakehouse.point_in_time import micros

Build = Callable[[pd.DataFrame, pd.DataFrame], pd.DataFrame]
BLOCK = "_block"


def by_day_blocks(
    asked: DataFrame, records: DataFrame, build: Build, schema: str, lookback: timedelta, block: timedelta
) -> DataFrame:
    """What ``build`` makes of each block's questions and of the records that reach it.

    Args:
        asked: Questions; reads ``predict_us`` (microseconds UTC).
        records: Records; reads ``published_us`` (microseconds UTC). One that reaches several blocks is given to each.
        build: ``(asked, records) -> frame`` in pandas; its result must not depend on where a block starts or ends.
        schema: Columns that ``build`` makes, as SQL.
        lookback: How long after its publication a record is of use.
        block: Length of a block.
    """
    asked = asked.withColumn(BLOCK, _block_of("predict_us", block))
    reached = F.sequence(
        _block_of("published_us", block), _block_of(f"published_us + {micros(lookback)}", block)
    )
    needed = F.broadcast(asked.select(BLOCK).distinct())
    records = records.withColumn(BLOCK, F.explode(reached)).join(needed, BLOCK, "left_semi")

    def build_block(asked: pd.DataFrame, records: pd.DataFrame) -> pd.DataFrame:
        return build(asked.drop(columns=BLOCK), records.drop(columns=BLOCK))

    return asked.groupBy(BLOCK).cogroup(records.groupBy(BLOCK)).applyInPandas(build_block, schema)


def _block_of(instant: str, block: timedelta) -> Column:
    return F.expr(f"({instant}) div {micros(block)}")
