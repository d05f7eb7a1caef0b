"""One entity, by its key: what was landed about it, what was known when, and what was predicted."""

import json
from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pandas as pd
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from lakehouse_ml.lakehouse.contract import Contract
from lakehouse_ml.lakehouse.sources import record_fields
from lakehouse_ml.registry import CHAMPION
from lakehouse_ml.use_case import UseCase

MASK = "***"


class TraceError(LookupError):
    """What is asked for is not there; the message says where it would be."""


@dataclass(frozen=True)
class LandedLine:
    """A landed line about an entity.

    Attributes:
        source: Source of the line.
        file: Landing file, ``<source>/<period>.jsonl.gz``.
        line_no: Line in the file, from 1.
        published_at: Moment from which it could be known, UTC.
        text: The record as JSON, restricted fields masked.
        was_there: Whether the run that scored had it; else it landed later, or was taken back from quarantine.
    """

    source: str
    file: str
    line_no: int
    published_at: datetime
    text: str
    was_there: bool


def lines_about(
    key: str, use_case: UseCase, silver: Mapping[str, DataFrame], seen: Mapping[str, DataFrame]
) -> list[LandedLine]:
    """The landed lines that name the entity, in the order in which they could be known.

    Args:
        key: The entity.
        use_case: Says which sources name entities, and how.
        silver: Silver tables by name.
        seen: Silver tables by name, as the run that scored saw them.
    """
    contracts = {contract.name: contract for contract in use_case.sources}
    found = []
    for source in use_case.spine.named_in:
        records = silver[source].where(use_case.spine.key() == key)
        fields = [field.name for field in record_fields(contracts[source])]
        shown = records.select(
            "_file",
            "_line_no",
            F.unix_micros("published_at").alias("_published"),
            F.to_json(F.struct(*fields)).alias("_text"),
        )
        had = seen[source].where(use_case.spine.key() == key).select("_file", "_line_no").collect()
        places = {(row["_file"], row["_line_no"]) for row in had}
        found += [_line(source, row.asDict(), contracts[source], places) for row in shown.collect()]
    return sorted(found, key=lambda line: (line.published_at, line.file, line.line_no))


def _line(
    source: str, row: Mapping[str, Any], contract: Contract, places: Set[tuple[str, int]]
) -> LandedLine:
    at = datetime.fromtimestamp(row["_published"] / 1e6, UTC)
    file, line_no = row["_file"], row["_line_no"]
    return LandedLine(source, file, line_no, at, masked(row["_text"], contract), (file, line_no) in places)


def masked(text: str, contract: Contract) -> str:
    """The record's JSON without the values of restricted fields."""
    hidden = {column.name for column in contract.columns if column.privacy == "restricted"}
    record = json.loads(text)
    return json.dumps({name: MASK if name in hidden else value for name, value in record.items()})


@dataclass(frozen=True)
class StoredPrediction:
    """A row of ``ml.predictions``; times UTC."""

    key: str
    predict_at: datetime
    role: str
    model_version: str
    model_digest: str
    score: float
    threshold: float
    decision: bool
    features_version: int
    run_id: str
    as_of: datetime


def predictions_of(key: str, predictions: DataFrame) -> list[StoredPrediction]:
    """Every prediction of the entity: the champions' first, and the newest of these before the others.

    Raises:
        TraceError: There is none.
    """
    names = list(StoredPrediction.__dataclass_fields__)
    moments = ("predict_at", "as_of")
    rows = (
        predictions.where(F.col("key") == key)
        .withColumns({name: F.unix_micros(name) for name in moments})
        .select(*names)
        .collect()
    )
    if not rows:
        raise TraceError(
            f"{key}: ml.predictions has no row of that key; a key looks like those that "
            f"`SELECT key FROM ml.predictions` gives, and a flight is scored once it is due"
        )
    found = [
        StoredPrediction(
            **{**row.asDict(), **{m: datetime.fromtimestamp(row[m] / 1e6, UTC) for m in moments}}
        )
        for row in rows
    ]
    return sorted(found, key=lambda one: (one.role == CHAMPION, one.as_of, one.model_version), reverse=True)


def features_of(key: str, features: DataFrame, names: Sequence[str]) -> pd.DataFrame:
    """The entity's feature row.

    Raises:
        TraceError: There is none, or no such feature.
    """
    check_features(features.columns, names, key)
    row = features.where(F.col("key") == key).select(*names).toPandas()
    if row.empty:
        raise TraceError(f"{key}: gold.features has no row of that key at the version that was scored")
    return row


def check_features(columns: Iterable[str], names: Sequence[str], what: str) -> None:
    """Make sure that a table has every feature that a model reads.

    Args:
        columns: Of the table.
        names: Features of the model.
        what: What is made with it, for the message.

    Raises:
        TraceError: Naming those that are missing.
    """
    missing = sorted({*names} - {*columns})
    if missing:
        raise TraceError(
            f"{what} cannot be made again: its model reads {', '.join(missing)}, which gold.features does not have any "
            f"more; check out the code that made the model"
        )
