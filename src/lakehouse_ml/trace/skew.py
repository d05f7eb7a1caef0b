"""Served scores made again from the versions that they saw: training and serving must not differ in a single row."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from functools import reduce
from operator import or_
from typing import Any

import numpy as np
import pandas as pd
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from threadpoolctl import threadpool_limits

from lakehouse_ml.lakehouse.run import Run
from lakehouse_ml.trace.entity import check_features
from lakehouse_ml.use_case import UseCase


@dataclass(frozen=True)
class Batch:
    """What one run served with one version.

    Attributes:
        run: The run, with the versions of its silver tables.
        features_version: Delta version of ``gold.features`` that was scored.
        model_version: Version in the registry.
        model_digest: SHA-256 over its files.
        days: Days of the predictions, UTC.
    """

    run: Run
    features_version: int
    model_version: str
    model_digest: str
    days: tuple[date, ...]


@dataclass(frozen=True)
class Compared:
    """A batch made again.

    Attributes:
        batch: What was served.
        rows: Served rows that were compared.
        equal: Those whose score and features are both the very same when made again.
        same_score: Those whose score is the very same when made again.
        same_features: Those whose features are the very same when built again from silver as the run saw it.
        restated: Those whose features are others today: corrected or late records came since.
        differing: Features that differ when built again.
        files: Landing files that came since and can have restated the rows.
        doubts: What else than a fault can make the rows others, see ``silver_seen``.
    """

    batch: Batch
    rows: int
    equal: int
    same_score: int
    same_features: int
    restated: int
    differing: tuple[str, ...]
    files: tuple[str, ...] = ()
    doubts: tuple[str, ...] = ()

    @property
    def equal_share(self) -> float:
        """Share of the rows whose score and features are both the same; must be 1."""
        return self.equal / self.rows if self.rows else 0.0


@dataclass(frozen=True)
class NotCompared:
    """A batch that cannot be made again.

    Attributes:
        batch: What was served.
        why: What is missing.
    """

    batch: Batch
    why: str


def served_batches(predictions: DataFrame, runs: DataFrame, since: date) -> list[Batch]:
    """What was served from a day on, the oldest run first; a batch per run and version.

    Args:
        predictions: ``ml_predictions``.
        runs: ``ops_runs``.
        since: First day of the predictions, UTC.
    """
    wanted = predictions.where(F.col("predict_date") >= F.lit(since))
    key = ["run_id", "features_version", "model_version", "model_digest"]
    days = wanted.groupBy(*key).agg(F.sort_array(F.collect_set("predict_date")).alias("days"))
    known = runs.select("run_id", F.unix_micros("as_of").alias("as_of_us"), "versions")
    rows = days.join(known, "run_id").orderBy("as_of_us", *key).collect()
    return [_batch(row) for row in rows]


def _batch(row: Any) -> Batch:
    as_of = pd.Timestamp(row["as_of_us"], unit="us", tz="UTC").to_pydatetime()
    return Batch(
        run=Run(row["run_id"], as_of, dict(row["versions"])),
        features_version=row["features_version"],
        model_version=row["model_version"],
        model_digest=row["model_digest"],
        days=tuple(row["days"]),
    )


def sampled(predictions: DataFrame, batch: Batch, rows: int) -> DataFrame:
    """About so many predictions of a batch, chosen by a hash of their key: key and score."""
    mine = predictions.where(
        (F.col("run_id") == batch.run.run_id)
        & (F.col("features_version") == batch.features_version)
        & (F.col("model_version") == batch.model_version)
        & F.col("predict_date").isin(list(batch.days))
    )
    share = max(1, mine.count() // rows)
    return mine.where(F.pmod(F.xxhash64("key"), F.lit(share)) == 0).select("key", "score").distinct()


def compare(
    batch: Batch,
    served: pd.DataFrame,
    seen: pd.DataFrame,
    again: pd.DataFrame,
    today: pd.DataFrame,
    model: Any,
) -> Compared:
    """The served rows beside those made again; files of restated rows and doubts are not looked up.

    Args:
        batch: What was served.
        served: key and score, as stored.
        seen: Features by key, at the version that was scored.
        again: Features by key, built again from silver as the run saw it.
        today: Features by key, as they stand now.
        model: The version that scored.
    """
    keys = served["key"]
    names = list(seen.columns)
    # One thread, as batch inference and the server have: several would cut the rows in other places.
    with threadpool_limits(limits=1):
        score = model.predict(seen.reindex(keys))
    unlike = ~equal_cells(seen.reindex(keys), again.reindex(keys)[names])
    unlike[~keys.isin(again.index).to_numpy()] = True
    same_score, same_features = score == served["score"].to_numpy(), ~unlike.any(axis=1)
    restated = ~equal_cells(seen.reindex(keys), today.reindex(keys)[names])
    return Compared(
        batch=batch,
        rows=len(served),
        equal=int((same_score & same_features).sum()),
        same_score=int(same_score.sum()),
        same_features=int(same_features.sum()),
        restated=int(restated.any(axis=1).sum()),
        differing=tuple(
            name
            for name, is_unlike in zip(names, np.atleast_1d(unlike.any(axis=0)), strict=True)
            if is_unlike
        ),
    )


def features_of_rows(features: DataFrame, keys: DataFrame, names: Sequence[str]) -> pd.DataFrame:
    """Feature rows by key, of some keys.

    Raises:
        TraceError: There is no such feature.
    """
    check_features(features.columns, names, "a score")
    rows = features.join(F.broadcast(keys.select("key")), "key", "left_semi")
    return rows.select("key", *names).toPandas().set_index("key")


def equal_cells(one: pd.DataFrame, other: pd.DataFrame) -> np.ndarray:
    """Whether each cell is the very same, missing ones included: shape (n_rows, n_columns)."""
    same = one.to_numpy(object) == other.to_numpy(object)
    return np.asarray(same | (one.isna().to_numpy() & other.isna().to_numpy()), dtype=bool)


def late_files(
    batch: Batch, use_case: UseCase, silver: Mapping[str, DataFrame], seen: Mapping[str, DataFrame]
) -> tuple[str, ...]:
    """Landing files with records that silver took in after the batch and that can reach its days.

    Args:
        batch: What was served.
        use_case: Sources and the lookback of each family.
        silver: Silver tables by name, as they stand.
        seen: Silver tables by name, as the batch's run saw them. A line taken back from quarantine has come since,
            however early it landed.
    """
    found: set[str] = set()
    for source in use_case.sources:
        reach = _reach(source.name, use_case, batch.days)
        if reach is not None:
            then = seen[source.name].where(reach).select("_file", "_line_no")
            later = silver[source.name].where(reach).join(then, ["_file", "_line_no"], "left_anti")
            found |= {row["_file"] for row in later.select("_file").distinct().collect()}
    return tuple(sorted(found))


def _reach(source: str, use_case: UseCase, days: Sequence[date]) -> Column | None:
    families = [family for family in use_case.families if source in (*family.inputs, *family.references)]
    if not families:
        return None
    published = F.col("published_at")
    until = published < F.date_add(F.lit(max(days)), 1).cast("timestamp")
    within = [
        F.lit(True)
        if source in family.references
        else published >= F.lit(datetime.fromisoformat(f"{min(days)}T00:00:00+00:00") - family.lookback)
        for family in families
    ]
    return until & reduce(or_, within)
