"""Batch scoring in rows a second, as a ratio to the model itself in this process, from a million rows up.

Both models of the use case, as large as nine months and the real parameters make them: the trees as many as a
training may choose, the columns as many as there are categories that are not rare.
Both score the same rows of one file: the stage finds what is due, reads and checks it, the model has it in memory.
The predictions are thrown away: what it costs to write them to ``ml.predictions`` is not in the figure.

The trees are judged. The logistic regression is shown: in memory it takes less time for a row than Spark does to hand
the row to Python, so that no batch comes near it. How far one could come is what a model that costs nothing reaches.
"""

import sys
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import yaml
from pyspark.sql import DataFrame
from pyspark.sql import functions as F
from rich.console import Console
from rich.table import Table

from bench_serving import AS_OF, built, scores, seconds, spark_conf, stored
from lakehouse_ml.datasets.session import configure_spark, get_spark
from lakehouse_ml.flights import USE_CASE
from lakehouse_ml.lakehouse.labelled import labelled_rows
from lakehouse_ml.probability_model import ProbabilityModel
from lakehouse_ml.registry import Champion, Registry
from processes import ROOT

ROWS = 1_000_000
WARM, TIMES = 6, 3
LEAST = 0.7
JUDGED, CEILING = "challenger", "constant"
TRAINING_ROWS = 250_000
TRAINING = ROOT / "conf/base/parameters_training.yml"


class Constant:
    """A model that does not look at the rows."""

    def predict(self, frame: pd.DataFrame) -> np.ndarray:
        """The same for every row."""
        return np.full(len(frame), 0.5)


def repeated(features: DataFrame, folder: Path) -> DataFrame:
    """Gold's rows again and again under new keys, until there are enough of them; on disk, in files by day."""
    copies = -(-ROWS // features.count())
    again = features.withColumn("_copy", F.explode(F.sequence(F.lit(1), F.lit(copies))))
    keyed = again.withColumn("key", F.concat_ws("-", "key", "_copy")).drop("_copy")
    keyed.repartition("predict_date").write.format("delta").save(str(folder))
    return get_spark().read.format("delta").load(str(folder))


def score(features: DataFrame, predictions: DataFrame, champion: Champion) -> None:
    """Score all of it, and throw the predictions away."""
    scores(features, predictions, champion).write.format("noop").mode("overwrite").save()


def fitted(project: Path) -> Iterator[tuple[str, ProbabilityModel]]:
    """Both models of the use case by role, on the rows of gold; the trees as many as a training may choose."""
    label, names = USE_CASE.labels.column, list(USE_CASE.feature_names)
    known = labelled_rows(stored(project, "gold/features"), stored(project, "gold/labels"), label, AS_OF)
    few = known.select(*names, label).toPandas()
    # What is rare has no column of its own: rows of nine months make as many columns as a real training does.
    rows = pd.concat([few] * -(-TRAINING_ROWS // len(few)))
    tuning = yaml.safe_load(TRAINING.read_text())["training"]["tuning"]
    for estimator in USE_CASE.estimators:
        rounds = {estimator.rounds: tuning["max_rounds"]} if estimator.rounds else {}
        model = ProbabilityModel(estimator.build({**estimator.start, **rounds}, 0))
        yield estimator.role, model.fit(rows[names], rows[label].to_numpy(bool))


def main(project: Path, folder: Path) -> int:
    """Print the table; 1 when scoring by the trees is slower than allowed."""
    stores = [f"sqlite:///{project}/data/mlflow/{name}.db" for name in ("registry", "test")]
    registry = Registry(f"test.ml.{USE_CASE.model_name}", *stores)
    champion = registry.load(registry.aliased())
    configure_spark(spark_conf())
    features = repeated(stored(project, "gold/features"), folder / "features")
    predictions = stored(project, "ml/predictions")
    rows = features.select(*champion.feature_names).toPandas()
    table = Table("model", "rows", "its rows/s", "batch rows/s", "ratio", title=f"{JUDGED}: at least {LEAST}")
    ratios = {}
    for role, model in ((CEILING, Constant()), *fitted(project)):
        scorer = replace(champion, model=model)
        # The first batches start the workers, and let Java compile.
        seconds(partial(score, features, predictions, scorer), WARM)
        batch = seconds(partial(score, features, predictions, scorer), TIMES).min()
        told = ["", f"{len(rows) / batch:,.0f}", ""]
        if role != CEILING:
            itself = seconds(partial(model.predict, rows), TIMES).min()
            ratios[role] = itself / batch
            told[0], told[2] = f"{len(rows) / itself:,.0f}", f"{ratios[role]:.2f}"
        table.add_row(role, f"{len(rows):,}", *told)
    Console().print(table)
    return int(ratios[JUDGED] < LEAST)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as made:
        given = Path(sys.argv[1]) if len(sys.argv) > 1 else built(Path(made) / "project")
        sys.exit(main(given, Path(made)))
