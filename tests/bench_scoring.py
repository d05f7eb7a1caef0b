"""Batch scoring in rows a second, as a ratio to the model itself in this process, from a million rows up.

Both score the same rows of the same file: the stage reads, joins and checks them, the model gets them in memory.
The predictions are thrown away: what it costs to write them to ``ml.predictions`` is not in the figure.
"""

import sys
import tempfile
from pathlib import Path

from pyspark.sql import DataFrame
from pyspark.sql import functions as F
from rich.console import Console
from rich.table import Table

from bench_serving import built, scores, seconds, spark_conf
from lakehouse_ml.datasets.session import configure_spark, get_spark
from lakehouse_ml.flights import USE_CASE
from lakehouse_ml.registry import Champion, Registry

ROWS = 1_000_000
TIMES = 3
LEAST = 0.7


def repeated(features: DataFrame, folder: Path) -> DataFrame:
    """Gold's rows again and again under new keys, until there are enough of them; on disk, in files by day."""
    copies = -(-ROWS // features.count())
    again = features.withColumn("_copy", F.explode(F.sequence(F.lit(1), F.lit(copies))))
    keyed = again.withColumn("key", F.concat_ws("-", "key", "_copy")).drop("_copy")
    keyed.repartition("predict_date").write.format("delta").save(str(folder))
    return get_spark().read.format("delta").load(str(folder))


def score(features: DataFrame, champion: Champion) -> None:
    """Score all of it, and throw the predictions away."""
    scores(features, features, champion).write.format("noop").mode("overwrite").save()


def main(project: Path, folder: Path) -> int:
    """Print the table; 1 when scoring is slower than allowed."""
    stores = [f"sqlite:///{project}/data/mlflow/{name}.db" for name in ("registry", "test")]
    registry = Registry(f"test.ml.{USE_CASE.model_name}", *stores)
    champion = registry.load(registry.aliased())
    configure_spark(spark_conf())
    gold = get_spark().read.format("delta").load(str(project / "data/lakehouse/test/gold/features"))
    features = repeated(gold, folder / "features")
    rows = features.select(*champion.feature_names).toPandas()
    # The first batch starts the workers.
    score(features.where("predict_date = '2013-01-31'"), champion)
    batch = seconds(lambda: score(features, champion), TIMES).min()
    itself = seconds(lambda: champion.model.predict(rows), TIMES).min()
    ratio = itself / batch
    table = Table("rows", "model rows/s", "batch rows/s", title=f"Ratio {ratio:.2f}, at least {LEAST}")
    table.add_row(f"{len(rows):,}", f"{len(rows) / itself:,.0f}", f"{len(rows) / batch:,.0f}")
    Console().print(table)
    return int(ratio < LEAST)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as made:
        given = Path(sys.argv[1]) if len(sys.argv) > 1 else built(Path(made) / "project")
        sys.exit(main(given, Path(made)))
