"""The champion's scores and decisions."""

from collections.abc import Callable, Iterator

import pandas as pd
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from threadpoolctl import threadpool_limits

from lakehouse_ml.lakehouse.contract import ContractError
from lakehouse_ml.lakehouse.run import Run
from lakehouse_ml.lakehouse.tables import PREDICTIONS
from lakehouse_ml.pipelines.inference.due import ROLE
from lakehouse_ml.registry import Champion
from lakehouse_ml.scoring import scored

FEATURES_TABLE = "gold.features"


def score_due(
    due: DataFrame, features: DataFrame, champion: Champion, run: Run, table_versions: dict[str, int]
) -> Iterator[DataFrame]:
    """Predictions of everything that is due; nothing when nothing is.

    Args:
        due: Output of :func:`find_due`, one row per key.
        features: ``gold_features``, one row per key.
        champion: ``ml_champion``.
        run: The run that predicts.
        table_versions: Delta version by table: which features were scored.

    Returns:
        One row per key, columns of ``ml.predictions``: score in 0..1, decision = score >= threshold.

    Raises:
        ContractError: The features lack a column that the champion reads.
    """
    _check_columns(features, champion)
    first, last = due.agg(F.min("predict_date"), F.max("predict_date")).collect()[0]
    if first is None:
        return
    # Literals, so that the scan opens the files of these days only.
    wanted = features.where(F.col("predict_date").between(F.lit(first), F.lit(last)))
    rows = wanted.join(due.select("key"), "key", "left_semi").select("key", *champion.feature_names)
    scores = rows.mapInPandas(_scorer(champion), "key string, score double, decision boolean")
    yield _predictions(due, scores, champion, run, table_versions[FEATURES_TABLE])


def _check_columns(features: DataFrame, champion: Champion) -> None:
    absent = [name for name in champion.feature_names if name not in features.columns]
    if absent:
        raise ContractError(
            f"{FEATURES_TABLE} lacks {', '.join(absent)}, which champion version {champion.version} reads: "
            f"promote a model of today's features with `kedro run --pipelines retrain`."
        )


def _scorer(champion: Champion) -> Callable[[Iterator[pd.DataFrame]], Iterator[pd.DataFrame]]:
    # The workers get the model alone: with the champion's class they would import all of MLflow.
    model, names, threshold = champion.model, champion.feature_names, champion.threshold

    def score(batches: Iterator[pd.DataFrame]) -> Iterator[pd.DataFrame]:
        # The workers share the cores already: threads of their own would only fight over them.
        with threadpool_limits(limits=1):
            for batch in batches:
                yield scored(batch, model, names, threshold)

    return score


def _predictions(
    due: DataFrame, scores: DataFrame, champion: Champion, run: Run, features_version: int
) -> DataFrame:
    constants = {
        "role": F.lit(ROLE),
        "model_version": F.lit(champion.version),
        "model_digest": F.lit(champion.digest),
        "threshold": F.lit(champion.threshold),
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
