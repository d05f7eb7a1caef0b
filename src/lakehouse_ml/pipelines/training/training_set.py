"""The rows that training may see."""

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from lakehouse_ml.lakehouse.labelled import labelled_rows
from lakehouse_ml.lakehouse.run import Run
from lakehouse_ml.pipelines.training.params import TrainingParams
from lakehouse_ml.pipelines.training.periods import periods_of


def training_set(
    features: DataFrame, labels: DataFrame, run: Run, params: TrainingParams, *, label: str
) -> DataFrame:
    """Labelled rows before the holdout, with the labels that were known when it began.

    Args:
        features: ``gold_features``, one row per key.
        labels: ``gold_labels``, one row per revision.
        run: The run's now: the holdout ends at its day.
        params: ``params:training``.
        label: Name of the label column.

    Returns:
        One row per key: the columns of ``features``, ``label`` (boolean) and ``label_known_at`` (UTC).
    """
    periods = periods_of(run.as_of, params)
    asked = features.where(
        (F.col("predict_date") < F.lit(periods.holdout_start))
        & (F.col("predict_at") <= F.lit(periods.last_asked_at))
    )
    return labelled_rows(asked, labels, label, periods.label_cutoff).withColumnRenamed(label, "label")
