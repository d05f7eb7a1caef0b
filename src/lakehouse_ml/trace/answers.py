"""Answers of the server made again from the features that its request log holds."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import numpy as np
import pandas as pd
from pyspark.sql import DataFrame
from pyspark.sql import functions as F
from threadpoolctl import threadpool_limits

from lakehouse_ml.lakehouse.contract import Column
from lakehouse_ml.registry import Champion, ModelReference
from lakehouse_ml.serving.columns import fault_of, typed_rows
from lakehouse_ml.trace.skew import equal_cells


@dataclass(frozen=True)
class Answered:
    """A version's answers, made again.

    Attributes:
        version: The version that answered.
        rows: Logged rows that were looked at.
        made_again: Those whose features are all in the log, and keep today's contracts; of a model that reads
            restricted ones there are none.
        equal: Those of them whose score is the very same.
        in_gold: Those of them whose key ``gold.features`` has.
        as_gold: Those of these that were asked with the very features that gold has today.
        differing: Features in which the others differ.
    """

    version: ModelReference
    rows: int
    made_again: int
    equal: int
    in_gold: int
    as_gold: int
    differing: tuple[str, ...]

    @property
    def is_skewed(self) -> bool:
        """Whether the model, given the same features, does not give what was answered."""
        return self.equal < self.made_again


def newest_answers(requests: DataFrame, days: int, rows: int) -> pd.DataFrame:
    """About so many answers of the newest days on record, chosen by a hash of request and row.

    Args:
        requests: ``silver_requests``.
        days: Before the newest answer (wall clock).
        rows: How many.

    Returns:
        key, score, model_version, model_digest, features (as sent: JSON text by name).
    """
    newest = requests.agg(F.max("published_at").alias("_newest"))
    recent = requests.crossJoin(newest).where(
        F.col("published_at") > F.col("_newest") - F.lit(timedelta(days=days))
    )
    share = max(1, recent.count() // rows)
    chosen = recent.where(F.pmod(F.xxhash64("request_id", "row_number"), F.lit(share)) == 0)
    return chosen.select("key", "score", "model_version", "model_digest", "features").toPandas()


def by_version(answers: pd.DataFrame) -> Iterator[tuple[ModelReference, pd.DataFrame]]:
    """The answers of each version; see :func:`newest_answers`."""
    for (version, digest), own in answers.groupby(["model_version", "model_digest"]):
        yield ModelReference(str(version), str(digest)), own


def answer_again(
    own: pd.DataFrame, champion: Champion, columns: Sequence[Column], gold: pd.DataFrame
) -> Answered:
    """A version's answers beside what its model makes of the logged features.

    Args:
        own: The version's rows of :func:`newest_answers`.
        champion: The version, loaded.
        columns: Of a request, see :func:`lakehouse_ml.serving.columns.request_columns`.
        gold: Today's features by key, of the keys that gold has.
    """
    read = [column for column in columns if column.name in ("key", *champion.feature_names)]
    names = list(champion.feature_names)
    rows = [
        _sent(key, dict(features), read) for key, features in zip(own["key"], own["features"], strict=True)
    ]
    whole = own[[row is not None for row in rows]]
    kept = [row for row in rows if row is not None]
    sent = typed_rows({column.name: [row[column.name] for row in kept] for column in read}, read)
    known = sent["key"].isin(gold.index).to_numpy(bool)
    unlike = ~equal_cells(sent[names][known], gold.reindex(sent["key"][known])[names])
    return Answered(
        version=ModelReference(champion.version, champion.digest),
        rows=len(own),
        made_again=len(whole),
        equal=_equal(whole, champion, sent),
        in_gold=int(known.sum()),
        as_gold=int((~unlike.any(axis=1)).sum()),
        differing=tuple(name for place, name in enumerate(names) if unlike[:, place].any()),
    )


def _equal(own: pd.DataFrame, champion: Champion, sent: pd.DataFrame) -> int:
    if own.empty:
        return 0
    # One thread, as the server has: several would cut the rows in other places.
    with threadpool_limits(limits=1):
        score = champion.model.predict(sent[list(champion.feature_names)])
    return int(np.sum(np.asarray(score) == own["score"].to_numpy()))


def _sent(key: str, features: Mapping[str, str | None], columns: Sequence[Column]) -> dict[str, Any] | None:
    """A row's values as the request carried them; None where the log lacks one, or a contract was tightened since."""
    texts = {"key": key, **features}
    if any(column.name not in texts for column in columns):
        return None
    row = {column.name: _value(column, texts[column.name]) for column in columns}
    return None if any(fault_of(column, [row[column.name]]) for column in columns) else row


def _value(column: Column, text: str | None) -> Any:
    if text is None or column.type == "string":
        return text
    try:
        return json.loads(text)
    except ValueError:
        # It was a text before its contract changed, and fits no other type.
        return text
