"""Predictions of a request's rows, as the answer and the request log tell them."""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pandas as pd

from lakehouse_ml.registry import Champion
from lakehouse_ml.scoring import scored
from lakehouse_ml.serving.body import Table
from lakehouse_ml.serving.routing import goes_to_challenger
from lakehouse_ml.serving.versions import Served

# What an answer tells of a row; the log tells more.
ANSWERED = ("key", "score", "decision", "threshold", "model_version", "role")

Row = Mapping[Any, Any]


def predictions(rows: pd.DataFrame, served: Served) -> pd.DataFrame:
    """Score, decision and who made it, of every row in its order.

    Args:
        rows: Key and features, see :func:`lakehouse_ml.serving.columns.typed_rows`.
        served: Who scores.

    Returns:
        One row per row: key, score (0..1), decision (score >= threshold), threshold, model_version, model_digest,
        role (``champion`` or ``challenger``).

    Raises:
        ScoreError: A score is no probability.
    """
    challenger = served.challenger
    if challenger is None:
        return _by(served.champion, rows, "champion")
    chosen = rows["key"].map(lambda key: goes_to_challenger(key, served.percent)).astype(bool)
    parts = [(served.champion, rows[~chosen], "champion"), (challenger, rows[chosen], "challenger")]
    return pd.concat([_by(version, part, role) for version, part, role in parts if len(part)]).sort_index()


def _by(version: Champion, rows: pd.DataFrame, role: str) -> pd.DataFrame:
    found = scored(rows, version.model, version.feature_names, version.threshold)
    return found.assign(
        threshold=version.threshold, model_version=version.version, model_digest=version.digest, role=role
    )


def answer_of(found: Sequence[Row], request: Row) -> bytes:
    """The answer's body: ``predictions``, one object per row, and what identifies the request."""
    told = [{name: row[name] for name in ANSWERED} for row in found]
    return json.dumps({"predictions": told, **request}, allow_nan=False).encode()


def log_records(found: Sequence[Row], table: Table, features: Sequence[str], request: Row) -> Iterator[str]:
    """One JSON object per row, with the fields of ``silver.requests`` but ``published_at``.

    Args:
        found: Rows of :func:`predictions`.
        table: The request's values by column, as sent.
        features: Columns whose values are kept.
        request: What identifies the request.
    """
    values = zip(*(table[name] for name in features), strict=True)
    for number, (row, sent) in enumerate(zip(found, values, strict=True), start=1):
        record = {**request, "row_number": number, **row, "features": dict(zip(features, sent, strict=True))}
        yield json.dumps(record, allow_nan=False)
