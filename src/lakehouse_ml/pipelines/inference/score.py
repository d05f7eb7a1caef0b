"""Scores and decisions of the champion, and in shadow of the challengers."""

from collections.abc import Callable, Iterator, Sequence

import pyarrow as pa
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from threadpoolctl import threadpool_limits

from lakehouse_ml.lakehouse.contract import ContractError
from lakehouse_ml.lakehouse.run import Run
from lakehouse_ml.lakehouse.tables import PREDICTIONS
from lakehouse_ml.registry import Champion
from lakehouse_ml.scoring import scored

FEATURES_TABLE = "gold.features"


def score_due(
    due: DataFrame,
    features: DataFrame,
    champion: Champion,
    challengers: Sequence[Champion],
    run: Run,
    table_versions: dict[str, int],
) -> Iterator[DataFrame]:
    """Predictions of everything that is due, the champion's first; nothing when nothing is.

    Args:
        due: Output of :func:`find_due`, one row per key and model.
        features: ``gold_features``, one row per key.
        champion: ``ml_champion``.
        challengers: ``ml_challengers``. They come after the champion: what goes wrong with them holds nothing back.
        run: The run that predicts.
        table_versions: Delta version by table: which features were scored.

    Returns:
        One row per key and model, columns of ``ml.predictions``: score in 0..1, decision = score >= threshold.

    Raises:
        ContractError: The features lack a column that a model reads.
    """
    for model in (champion, *challengers):
        _check_columns(features, model)
        mine = due.where(F.col("model_version") == model.version)
        first, last = mine.agg(F.min("predict_date"), F.max("predict_date")).collect()[0]
        if first is not None:
            # Literals, so that the scan opens the files of these days only.
            wanted = features.where(F.col("predict_date").between(F.lit(first), F.lit(last)))
            yield _predictions(mine, wanted, model, run, table_versions[FEATURES_TABLE])


def _check_columns(features: DataFrame, model: Champion) -> None:
    absent = [name for name in model.feature_names if name not in features.columns]
    if absent:
        raise ContractError(
            f"{FEATURES_TABLE} lacks {', '.join(absent)}, which version {model.version} reads: "
            f"promote a model of today's features with `kedro run --pipelines retrain`."
        )


def _scorer(scorer: Champion) -> Callable[[Iterator[pa.RecordBatch]], Iterator[pa.RecordBatch]]:
    # The workers get the model alone: with its class they would import all of MLflow.
    model, names, threshold = scorer.model, scorer.feature_names, scorer.threshold
    kinds = pa.schema([("key", pa.string()), ("score", pa.float64()), ("decision", pa.bool_())])

    def score(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        # The workers share the cores already: threads of their own would only fight over them.
        with threadpool_limits(limits=1):
            for batch in batches:
                found = scored(batch.to_pandas(), model, names, threshold)
                yield pa.RecordBatch.from_pandas(found, schema=kinds, preserve_index=False)

    return score


def _predictions(
    due: DataFrame, features: DataFrame, model: Champion, run: Run, features_version: int
) -> DataFrame:
    # Scoring the few rows of these days that are not due costs less than sending all features round to leave them out,
    # and a batch as Arrow has it less than column by column through pandas.
    rows = features.select("key", *model.feature_names)
    scores = rows.mapInArrow(_scorer(model), "key string, score double, decision boolean")
    constants = {
        "model_digest": F.lit(model.digest),
        "threshold": F.lit(model.threshold),
        "features_version": F.lit(features_version).cast("bigint"),
        "run_id": F.lit(run.run_id),
        "as_of": F.lit(run.as_of),
    }
    complete = due.join(scores, "key", "left").withColumn("score", _checked_score())
    return complete.withColumns(constants).select(*PREDICTIONS.names)


def _checked_score() -> Column:
    """The score, or an error that names the key: a row is never left out because it could not be scored."""
    message = F.concat(
        F.lit("No probability for "), F.col("key"), F.lit(": its score is missing (no row in gold.features)")
    )
    return F.coalesce("score", F.raise_error(message).cast("double"))
