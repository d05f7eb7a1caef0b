"""What every day's features and scores must keep, whatever the season: judged by plain facts, not by distances."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from fnmatch import fnmatchcase
from typing import Any

import numpy as np
import pandas as pd
from pydantic import Field
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from lakehouse_ml.lakehouse.column_counts import Counts
from lakehouse_ml.lakehouse.run import Run
from lakehouse_ml.pipelines.monitoring.champion import Watched
from lakehouse_ml.pipelines.monitoring.counting import BASELINE, Counted, items_of
from lakehouse_ml.pipelines.monitoring.findings import About, Finding, Owners, owner_of
from lakehouse_ml.pipelines.monitoring.frames import records_of, rows_of
from lakehouse_ml.pipelines.monitoring.params import Params
from lakehouse_ml.pipelines.monitoring.windows import WindowParams, newest_days

# Features of the training window by name: columns of ops.profile_metrics.
Training = Mapping[str, Mapping[str, Any]]
Families = Mapping[str, Sequence[str]]

# More unknown codes of a feature on one day are one finding.
MOST_VALUES = 5


class InvariantParams(Params):
    """What a day must keep.

    Attributes:
        min_rows: A day with fewer rows is not judged by shares.
        max_unseen_share: Of a category's values, those that the training window did not have; by pattern of the
            feature's name, of which the first that fits counts.
        max_missing_points: Percentage points by which missing values may exceed those of the training window.
        max_usual_share: A feature with one value over a whole day stands still, unless more than this share of the
            training rows were in that value's bin.
        still_features: So many features of a family must stand still on the same day, or all that it has: one alone may
            do so by chance, as nobody cancels on a quiet day.
        min_score_spread: Standard deviation of a day's scores.
    """

    min_rows: int = Field(ge=1)
    max_unseen_share: dict[str, float]
    max_missing_points: float = Field(gt=0, le=100)
    max_usual_share: float = Field(gt=0, lt=1)
    still_features: int = Field(ge=1)
    min_score_spread: float = Field(gt=0, lt=0.5)

    def unseen_limit(self, feature: str) -> float:
        """The limit of a category; 0 where no pattern fits."""
        limits = self.max_unseen_share.items()
        return next((limit for pattern, limit in limits if fnmatchcase(feature, pattern)), 0.0)


@dataclass(frozen=True)
class Breach:
    """One feature of one day that breaks a rule.

    Attributes:
        rule: Rule that is broken.
        day: The day, UTC.
        feature: The feature.
        found: What was found, in words.
        values: Values that break it alone, each of them.
    """

    rule: str
    day: date
    feature: str
    found: str
    values: tuple[str, ...] = ()


def training_profile(profiles: DataFrame, champion: Watched) -> Training:
    """The champion's training window: rows of ``ops_profile_metrics`` by feature."""
    mine = (F.col("model_version") == champion.version) & (F.col("log_type") == BASELINE)
    rows = records_of(profiles.where(mine).drop("window").toPandas())
    return {row["column_name"]: row for row in rows}


def feature_breaches(
    counted: Counted, training: Training, run: Run, windows: WindowParams, params: InvariantParams
) -> list[Breach]:
    """What the features of the newest days break; the day that is not over is not asked to move.

    Args:
        counted: Output of ``count_days``.
        training: Output of :func:`training_profile`; a feature that came later is not the champion's.
        run: Its now tells which days are the newest, and which are over.
        windows: How many days are the newest.
        params: Limits.
    """
    newest, today = newest_days(run.as_of, windows), run.as_of.date()
    return [
        Breach(rule, day, name, found, tuple(values))
        for day in newest
        for name, counts in counted.days.get(day, {}).items()
        if name in training
        for rule, found, *values in _broken(counts, training[name], day < today, params)
    ]


def _broken(
    counts: Counts, usual: Mapping[str, Any], is_over: bool, params: InvariantParams
) -> Iterator[tuple[str, ...]]:
    """Rule, what was found, and the values that break it alone."""
    if counts.nans:
        yield "not_a_number", f"{counts.nans} of {counts.count} values are no number"
    if counts.count < params.min_rows:
        return
    missing = 100 * counts.nulls / counts.count
    if missing - usual["percent_null"] > params.max_missing_points:
        yield "source_missing", f"{missing:.0f} % missing, {usual['percent_null']:.0f} % in training"
    if usual["data_type"] == "string":
        yield from _unseen(counts, usual, params)
    elif is_over and counts.present and counts.smallest == counts.largest:
        yield from _still(counts, usual, params)


def _unseen(counts: Counts, usual: Mapping[str, Any], params: InvariantParams) -> Iterator[tuple[str, ...]]:
    known = items_of(usual)
    new = {value: rows for value, rows in (counts.items or {}).items() if value not in known}
    share = sum(new.values()) / counts.present if counts.present else 0.0
    # Values that were too rare to be stored by name are new by that alone.
    had = usual["count"] - usual["num_nulls"]
    share -= 1 - sum(known.values()) / had if had else 0.0
    limit = params.unseen_limit(str(usual["column_name"]))
    if share > limit:
        most = sorted(new, key=lambda value: (-new[value], value))
        alone = (value for value in most if new[value] > limit * counts.present)
        found = f"{share:.1%} of the values were not in training: {', '.join(most[:5])}"
        yield "unseen_category", found, *alone


def _still(counts: Counts, usual: Mapping[str, Any], params: InvariantParams) -> Iterator[tuple[str, ...]]:
    bins = np.asarray(usual["bin_counts"], dtype=np.float64)
    place = int(np.searchsorted(np.asarray(usual["edges"], np.float64), counts.smallest, side="left"))
    share = bins[place] / bins.sum() if bins.sum() else 0.0
    if share <= params.max_usual_share:
        yield "stands_still", f"every value is {counts.smallest:g}"


def score_breaches(
    resolved: pd.DataFrame, run: Run, windows: WindowParams, params: InvariantParams
) -> list[Breach]:
    """The newest days whose scores are nearly the same for everybody.

    Args:
        resolved: Output of ``resolve_predictions``; predict_date and score are read.
        run: Its now tells which days are the newest.
        windows: How many days are.
        params: Limits.
    """
    scored = resolved[resolved["predict_date"].isin(newest_days(run.as_of, windows))]
    found = scored.groupby("predict_date")["score"].agg(["size", "std"]).reset_index()
    alike = found[(found["size"] >= params.min_rows) & ~(found["std"] >= params.min_score_spread)]
    words = f"standard deviation {{:.4f}} (at least {params.min_score_spread:g})"
    return [
        Breach("scores_alike", row.predict_date, "score", words.format(row.std)) for row in rows_of(alike)
    ]


def invariant_alerts(
    features: list[Breach],
    scores: list[Breach],
    params: InvariantParams,
    *,
    families: Families,
    owners: Owners,
) -> list[Finding]:
    """One finding per rule and feature family, of unknown codes one for each, with the features and the days in words.

    Args:
        features: Output of :func:`feature_breaches`.
        scores: Output of :func:`score_breaches`.
        params: How many features must stand still together.
        families: Features by family.
        owners: Who answers.
    """
    family_of = {name: family for family, names in families.items() for name in names}
    groups: dict[tuple[str, str, str], list[Breach]] = {}
    for breach in (*_together(features, families, params), *scores):
        family = family_of.get(breach.feature, breach.feature)
        for evidence in _evidence(breach):
            groups.setdefault((breach.rule, family, evidence), []).append(breach)
    return [
        _finding(
            rule, family, evidence, sorted(group, key=lambda breach: (breach.day, breach.feature)), owners
        )
        for (rule, family, evidence), group in sorted(groups.items())
    ]


def _evidence(breach: Breach) -> Iterator[str]:
    """As long as one of the newest days has it, it is the same finding.

    Each unknown code is one, so that no other one that comes or goes makes it a new one; many at once are one mistake.
    """
    if 0 < len(breach.values) <= MOST_VALUES:
        yield from (f"{breach.feature} {value}" for value in breach.values)
    else:
        yield "the newest days"


def _together(features: list[Breach], families: Families, params: InvariantParams) -> list[Breach]:
    """The breaches without features that stand still while the rest of their family moves."""
    family_of = {name: family for family, names in families.items() for name in names}
    still = Counter((b.day, family_of[b.feature]) for b in features if b.rule == "stands_still")
    sizes = Counter(family_of[name] for name in family_of if name != "key")
    alone = {place for place, count in still.items() if count < min(params.still_features, sizes[place[1]])}
    return [b for b in features if b.rule != "stands_still" or (b.day, family_of[b.feature]) not in alone]


def _finding(rule: str, family: str, evidence: str, group: Sequence[Breach], owners: Owners) -> Finding:
    first, newest = group[0], group[-1]
    features = sorted({breach.feature for breach in group})
    about: About = "model" if rule == "scores_alike" else "data"
    return Finding(
        rule=rule,
        severity="critical",
        subject=family,
        reason=(
            f"{newest.feature} on {newest.day}: {newest.found}; {len(features)} features since {first.day}: "
            f"{', '.join(features)}"
        ),
        owner=owner_of(owners, about),
        evidence=evidence,
        about=about,
    )
