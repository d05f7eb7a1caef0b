"""Scores and decisions of the champion, and in shadow of the challengers."""

from collections.abc import Callable, Iterator, Sequence
from datetime import date

import pyarrow as pa
from pyspark.sql import DataFrame
from pyspark.sql import functions as F
from threadpoolctl import threadpool_limits

from lakehouse_ml.lakehouse.contract import ContractError
from lakehouse_ml.lakehouse.run import Run
from lakehouse_ml.lakehouse.tables import PREDICTIONS
from lakehouse_ml.registry import Champion
from lakehouse_ml.scoring import scored

FEATURES_TABLE = "gold.features"
# What a prediction takes over from the row that it is made of, and what the model adds.
ASKED = ("key", "predict_at", "predict_date", "role")
ANSWERED = ("score", "decision")
TYPES = {column.name: column.type for column in PREDICTIONS.columns}
SCORED = ", ".join(f"{name} {TYPES[name]}" for name in ASKED + ANSWERED)


def score_due(
    due: DataFrame,
    due_features: DataFrame,
    champion: Champion,
    challengers: Sequence[Champion],
    run: Run,
    table_versions: dict[str, int],
) -> Iterator[DataFrame]:
    """Predictions of everything that is due, the champion's first; nothing when nothing is.

    Args:
        due: Entities found by :func:`find_due`, one row per key and model.
        due_features: Rows of ``gold_features`` found by it, one row per key and model.
        champion: ``ml_champion``.
        challengers: ``ml_challengers``. They come after the champion: what goes wrong with them holds nothing back.
        run: The run that predicts.
        table_versions: Delta version by table: which features were scored.

    Returns:
        One row per key and model, columns of ``ml.predictions``: score in 0..1, decision = score >= threshold.

    Raises:
        ContractError: The features lack a column that a model reads, or are not those of what is due, row by row.
    """
    for model in (champion, *challengers):
        _check_columns(due_features, model)
        is_mine = F.col("model_version") == model.version
        rows = due_features.where(is_mine)
        days = _days_in_both(due.where(is_mine), rows)
        if days is not None:
            # Literals, so that the scan opens the files of these days only.
            wanted = rows.where(F.col("predict_date").between(*map(F.lit, days)))
            yield _predictions(wanted, model, run, table_versions[FEATURES_TABLE])


def _check_columns(features: DataFrame, model: Champion) -> None:
    absent = [name for name in model.feature_names if name not in features.columns]
    if absent:
        raise ContractError(
            f"{FEATURES_TABLE} lacks {', '.join(absent)}, which version {model.version} reads: "
            f"promote a model of today's features with `kedro run --pipelines retrain`."
        )


def _days_in_both(due: DataFrame, features: DataFrame) -> tuple[date, date] | None:
    """First and last day (UTC) of what is due, None when nothing is: every entity has its one row of features.

    One aggregate over both tells, where a join would have to sort them all: equal keys take each other out.
    """
    sides = due.select("key", "predict_date", F.lit(1).alias("rows")).unionByName(
        features.select("key", "predict_date", F.lit(-1).alias("rows"))
    )
    first, last, *left_over = sides.agg(
        F.min("predict_date"), F.max("predict_date"), F.sum("rows"), F.bit_xor(F.xxhash64("key"))
    ).collect()[0]
    if any(left_over):
        _name_a_difference(sides)
    return None if first is None else (first, last)


def _name_a_difference(sides: DataFrame) -> None:
    odd = sides.groupBy("key").agg(F.sum("rows").alias("rows")).where("rows <> 0").orderBy("key").first()
    if odd is not None:
        found = "is due and has no row" if odd["rows"] > 0 else "has a row too many"
        raise ContractError(
            f"No probability for {odd['key']}: it {found} in {FEATURES_TABLE}; "
            "build it again with `kedro refresh --layer gold`"
        )


def _scorer(scorer: Champion) -> Callable[[Iterator[pa.RecordBatch]], Iterator[pa.RecordBatch]]:
    # The workers get the model alone: with its class they would import all of MLflow.
    model, names, threshold = scorer.model, scorer.feature_names, scorer.threshold

    def score(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        # The workers share the cores already: threads of their own would only fight over them.
        with threadpool_limits(limits=1):
            for batch in batches:
                found = scored(batch.select(["key", *names]).to_pandas(), model, names, threshold)
                answered = [pa.array(found[name]) for name in ANSWERED]
                columns = [*(batch.column(name) for name in ASKED), *answered]
                yield pa.RecordBatch.from_arrays(columns, names=[*ASKED, *ANSWERED])

    return score


def _predictions(rows: DataFrame, model: Champion, run: Run, features_version: int) -> DataFrame:
    constants = {
        "model_version": F.lit(model.version),
        "model_digest": F.lit(model.digest),
        "threshold": F.lit(model.threshold),
        "features_version": F.lit(features_version).cast("bigint"),
        "run_id": F.lit(run.run_id),
        "as_of": F.lit(run.as_of),
    }
    # A batch as Arrow has it costs less than column by column through pandas.
    scores = rows.select(*ASKED, *model.feature_names).mapInArrow(_scorer(model), SCORED)
    return scores.withColumns(constants).select(*PREDICTIONS.names)
