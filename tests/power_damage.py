"""What can go wrong with a feed and with a model, done to real rows."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from lakehouse_ml.flights.features import weather

# What the model sees, before it scores: rows of a week in the order of predict_at.
Rows = Callable[[pd.DataFrame], pd.DataFrame]
Records = Callable[[DataFrame], DataFrame]

AUC_LOST = 0.10
LABELS_LATE_DAYS = 10
FAMILY_DAYS = 7


@dataclass(frozen=True)
class Damage:
    """A damage that begins with a week and stays.

    Attributes:
        name: In the table.
        words: What is done.
        rows: Done to the feature rows before they are scored.
        records: Done to the silver records of ``source``: the lines that the contract would now reject, the features
            of the families that look back at most ``FAMILY_DAYS`` days, and the labels follow from them. Features
            of longer memory stay as they were, as on the first day of the damage.
        source: Whose records.
        is_blind: Scores are shuffled until the AUC is ``AUC_LOST`` lower.
        late_by_days: Labels become known so many days later.
    """

    name: str
    words: str
    rows: Rows | None = None
    records: Records | None = None
    source: str = ""
    is_blind: bool = False
    late_by_days: int = 0


def renamed(carrier: str) -> Rows:
    """One carrier's code is another one from now on."""
    return lambda rows: rows.assign(carrier=rows["carrier"].replace(carrier, "ZZ"))


def weather_stuck(rows: pd.DataFrame) -> pd.DataFrame:
    """Every airport reports its first hour again and again: values stay, and nothing changes within three hours."""
    names = [column.name for column in weather.OF_ORIGIN]
    first = rows.groupby("origin")[names].transform("first")
    city = {column.name: rows[column.name].bfill().iloc[0] for column in weather.OF_CITY}
    return rows.assign(**{**first, **city, "origin_pressure_change_3h_mb": 0.0})


def delays_in(minutes_each: float) -> Records:
    """Delays are reported in another unit."""
    return lambda movements: movements.withColumn(
        "delay_minutes", (F.col("delay_minutes") / minutes_each).cast("int")
    )


DAMAGES = (
    Damage(
        "AUC -0.10",
        "scores are shuffled among the rows of a week until its AUC is 0.10 lower; their distribution stays",
        is_blind=True,
    ),
    Damage("carrier renamed, large", "United's code changes: 17 % of the flights", rows=renamed("UA")),
    Damage("carrier renamed, small", "AirTran's code changes: 1 % of the flights", rows=renamed("FL")),
    Damage("weather stuck", "every airport repeats the first hour's report", rows=weather_stuck),
    Damage("delays in hours", "delay_minutes holds whole hours", records=delays_in(60), source="movements"),
    Damage("delays in seconds", "delay_minutes holds seconds", records=delays_in(1 / 60), source="movements"),
    Damage("labels late", "outcomes become known ten days later", late_by_days=LABELS_LATE_DAYS),
)


def shuffled(score: "pd.Series[float]", share: float, seed: int) -> "pd.Series[float]":
    """The scores, a share of the rows having each other's."""
    generator = np.random.default_rng(seed)
    chosen = np.flatnonzero(generator.random(len(score)) < share)
    values = score.to_numpy(copy=True)
    values[chosen] = values[generator.permutation(chosen)]
    return pd.Series(values, score.index)


def share_to_lose(lost: float, measured: Callable[[float], float]) -> float:
    """The share to shuffle so that ``measured(share)``, an AUC, is that much lower than ``measured(0)``."""
    low, high, goal = 0.0, 1.0, measured(0.0) - lost
    for _ in range(20):
        middle = (low + high) / 2
        low, high = (middle, high) if measured(middle) > goal else (low, middle)
    return high
