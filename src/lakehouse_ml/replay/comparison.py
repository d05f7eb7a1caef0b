"""What the policies' records add up to: quality with intervals, trainings, alerts, and what became of each incident."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import reduce
from itertools import combinations
from typing import TypeAlias

import numpy as np
import pandas as pd

from lakehouse_ml.incidents import FeedIncident, Poisoned
from lakehouse_ml.metrics import Flags, Floats, Scored, draw_days, estimate, number_days, resample
from lakehouse_ml.replay.fate import Fate, fates_of
from lakehouse_ml.replay.policies import POLICIES
from lakehouse_ml.replay.steps import ReplayError
from lakehouse_ml.replay.story import Story, read_story
from lakehouse_ml.replay.world import World
from lakehouse_ml.use_case import Costs, UseCase

METRICS = ("average_precision", "roc_auc", "brier_loss", "cost")
WHOLE = "whole"
DRAWS = 1000
SEED = 20130101
# A shorter replay is shown by week: a month would be a point or two.
MONTHLY_FROM = timedelta(days=92)
# A period, a metric, and its values for every draw of days, by policy.
DrawnMetric: TypeAlias = tuple[str, str, Mapping[str, Floats]]


@dataclass(frozen=True)
class Comparison:
    """The policies side by side.

    Attributes:
        nows: The steps' nows, UTC.
        incidents: What went wrong, in the order of time.
        stories: By policy, of those that were played to the end.
        quality: One row per policy, period and metric: value, low, high (95 %, days resampled). The period ``whole``
            is all of it; the others are named by their first day.
        differences: The same of each policy minus each that stands before it (column minus), on the same draws.
        rows: Predictions that every policy made and whose truth is known.
        fates: What became of each incident, by policy.
    """

    nows: Sequence[datetime]
    incidents: Sequence[FeedIncident | Poisoned]
    stories: Mapping[str, Story]
    quality: pd.DataFrame
    differences: pd.DataFrame
    rows: int
    fates: Mapping[str, Sequence[Fate]]

    @property
    def shown(self) -> str:
        """The policy whose incidents are drawn: the last one played, which knows the controller."""
        return list(self.stories)[-1]

    def overall(self, policy: str, metric: str) -> "pd.Series":
        """The policy's row of the whole time."""
        return _whole(self.quality, policy=policy, metric=metric)

    def difference(self, policy: str, minus: str, metric: str) -> "pd.Series":
        """The pair's row of the whole time."""
        return _whole(self.differences, policy=policy, minus=minus, metric=metric)


def pairs(policies: Iterable[str]) -> list[tuple[str, str]]:
    """Each policy with each that stands before it."""
    return [(policy, minus) for minus, policy in combinations(policies, 2)]


def _whole(rows: pd.DataFrame, **named: str) -> "pd.Series":
    wanted = {"period": WHOLE, **named}
    return rows[(rows[list(wanted)] == list(wanted.values())).all(axis=1)].iloc[0]


def compare_policies(
    world: World, nows: Sequence[datetime], incidents: Sequence[FeedIncident | Poisoned], use_case: UseCase
) -> Comparison:
    """Compare the policies that were played to the end.

    Raises:
        ReplayError: None was, or they have no prediction in common whose truth is known.
    """
    read = {policy: read_story(world, policy, nows, use_case) for policy in POLICIES}
    stories = {policy: story for policy, story in read.items() if story is not None}
    if not stories:
        raise ReplayError(f"{world.folder}: no policy was played to {nows[-1]:%Y-%m-%d}")
    return compared(stories, nows, incidents, use_case.costs, read_files(world, next(iter(stories))))


def read_files(world: World, policy: str) -> pd.DataFrame:
    """The data part's ``ops.ingestion_log``, times in UTC without zone."""
    with world.opened(policy) as (_, context):
        return context.catalog.load("ops_ingestion_log").drop("warnings", "broken_rules").toPandas()


def compared(
    stories: Mapping[str, Story],
    nows: Sequence[datetime],
    incidents: Sequence[FeedIncident | Poisoned],
    costs: Costs,
    files: pd.DataFrame,
) -> Comparison:
    """The comparison of policies' records; ``files`` is the data part's ``ops.ingestion_log``.

    Raises:
        ReplayError: The policies have no prediction in common whose truth is known.
    """
    common = common_rows(stories)
    period = "M" if nows[-1] - nows[0] >= MONTHLY_FROM else "W-SUN"
    drawn = list(_drawn_metrics(common, period, costs))
    fates = {policy: fates_of(incidents, story, files, nows) for policy, story in stories.items()}
    return Comparison(
        nows=nows,
        incidents=incidents,
        stories=stories,
        quality=pd.DataFrame(_quality(drawn)),
        differences=pd.DataFrame(_differences(drawn)),
        rows=len(next(iter(common.values()))),
        fates=fates,
    )


def common_rows(stories: Mapping[str, Story]) -> dict[str, pd.DataFrame]:
    """Rows that every policy predicted, in one order: only what is paired can be compared.

    Raises:
        ReplayError: There are none.
    """
    keys = reduce(
        pd.Index.intersection, (pd.Index(story.scored["key"]) for story in stories.values())
    ).sort_values()
    if keys.empty:
        own = ", ".join(f"{policy} {len(story.scored)}" for policy, story in stories.items())
        raise ReplayError(
            f"nothing to compare: no prediction of every policy has a known truth (alone: {own}); a policy predicts "
            f"from the step after its first promotion on, so play on with a later --to"
        )
    return {
        policy: story.scored.set_index("key").loc[keys].reset_index() for policy, story in stories.items()
    }


def _drawn_metrics(common: Mapping[str, pd.DataFrame], period: str, costs: Costs) -> Iterator[DrawnMetric]:
    days = pd.to_datetime(next(iter(common.values()))["predict_date"])
    for name, rows in _periods(days, period):
        parts = {policy: frame[rows] for policy, frame in common.items()}
        times = draw_days(days[rows].nunique(), DRAWS, SEED)
        for metric in METRICS:
            yield name, metric, {policy: _drawn(metric, part, times, costs) for policy, part in parts.items()}


def _periods(days: "pd.Series[pd.Timestamp]", period: str) -> Iterator[tuple[str, Flags]]:
    yield WHOLE, np.ones(len(days), dtype=bool)
    starts = days.dt.to_period(period).dt.start_time
    for start in sorted(starts.unique()):
        rows = (starts == start).to_numpy()
        yield f"{max(start, days.min()):%Y-%m-%d}", rows


def _drawn(metric: str, rows: pd.DataFrame, times: Floats, costs: Costs) -> Floats:
    """The metric for every draw; each row's decision was made by the threshold of its own champion."""
    score = rows["decision"] if metric == "cost" else rows["score"]
    scored = Scored(
        label=rows["label"].to_numpy(dtype=bool),
        score=score.to_numpy(dtype=np.float64),
        day=number_days(rows["predict_date"].to_numpy()),
        threshold=0.5,
        training_rate=np.nan,
        costs=costs,
    )
    return resample(metric, scored, times)


def _quality(drawn: Iterable[DrawnMetric]) -> Iterator[dict[str, object]]:
    for period, metric, values in drawn:
        for policy, own in values.items():
            yield {"policy": policy, "period": period, "metric": metric, **estimate(own)._asdict()}


def _differences(drawn: Iterable[DrawnMetric]) -> Iterator[dict[str, object]]:
    for period, metric, values in drawn:
        for policy, minus in pairs(values):
            gap = estimate(values[policy] - values[minus])
            yield {"policy": policy, "minus": minus, "period": period, "metric": metric, **gap._asdict()}
