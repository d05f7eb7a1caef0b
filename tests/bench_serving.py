"""Real time in numbers: the same flights by batch inference, over HTTP and by the model itself.

Equal to 1e-12, or this fails. Latency and rows a second are printed as ratios to the model in this process, so that
they tell the same on any machine.
"""

import json
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import requests
import yaml
from pyspark.sql import DataFrame
from rich.console import Console
from rich.table import Table

from bench import land
from lakehouse_ml.datasets.session import configure_spark, get_spark
from lakehouse_ml.flights import USE_CASE
from lakehouse_ml.lakehouse.run import Run
from lakehouse_ml.pipelines.inference.due import DueParams, find_due
from lakehouse_ml.pipelines.inference.score import score_due
from lakehouse_ml.registry import Champion, Registry
from processes import finish, project_at, start_run
from serving_builders import answering

FLIGHTS = 10_000
UNTIL = "2013-03-01"
SIZES = {1: 200, 100: 50, 1_000: 20, FLIGHTS: 5}
SAME = 1e-12
DAYS = 400
AS_OF = datetime(2014, 1, 1, tzinfo=UTC)


def built(folder: Path) -> Path:
    """A project with a champion in the environment ``test``."""
    project = project_at(folder)
    land(project, pd.Timestamp(UNTIL, tz="UTC"))
    finish(start_run(project))
    return project


def flights(project: Path, champion: Champion) -> tuple[pd.DataFrame, "pd.Series[float]"]:
    """Feature rows, and their scores by batch inference."""
    configure_spark(spark_conf())
    some = stored(project, "gold/features").orderBy("key").limit(FLIGHTS)
    nothing = stored(project, "ml/predictions").limit(0)
    rows = some.select("key", *USE_CASE.feature_names).toPandas()
    return rows, scores(some, nothing, champion).toPandas().set_index("key")["score"]


def scores(features: DataFrame, predictions: DataFrame, champion: Champion) -> DataFrame:
    """Predictions of feature rows by batch inference, of those that ``predictions`` does not hold."""
    champion = replace(champion, trained_until=AS_OF.date() - timedelta(DAYS))
    run, params = Run("bench", AS_OF, {}), DueParams(lookback_days=DAYS)
    due = find_due(features, predictions, champion, [], run, params)
    (scored,) = score_due(due, due, champion, [], run, {"gold.features": 0})
    return scored


def stored(project: Path, name: str) -> DataFrame:
    """A table of the project's lakehouse."""
    return get_spark().read.format("delta").load(str(project / "data/lakehouse/test" / name))


def spark_conf() -> dict[str, str]:
    """The project's own."""
    conf = yaml.safe_load((Path(__file__).parent.parent / "conf/base/spark.yml").read_text())
    return {key: str(value) for key, value in conf.items() if "$" not in str(value)}


def seconds(work: Callable[[], object], times: int) -> np.ndarray:
    """How long each of many calls took."""
    taken = []
    for _ in range(times):
        started = time.perf_counter()
        work()
        taken.append(time.perf_counter() - started)
    return np.array(taken)


def ask(session: requests.Session, url: str, content: str) -> list[dict]:
    """The answer's predictions."""
    answer = session.post(f"{url}/invocations", data=content, headers={"Content-Type": "application/json"})
    assert answer.ok, answer.text
    return answer.json()["predictions"]


def body(rows: pd.DataFrame) -> str:
    """A request for the rows, numbers to the last bit."""
    return json.dumps({"dataframe_split": rows.to_dict(orient="split")})


def compared(rows: pd.DataFrame, champion: Champion, url: str) -> Table:
    """Latency and throughput over HTTP against the model in this process."""
    table = Table(
        "rows", "model p50", "HTTP p50", "p95", "ratio p50", "ratio p95", "rows/s", "ratio", title="ms"
    )
    names = list(champion.feature_names)
    with requests.Session() as session:
        for size, times in SIZES.items():
            some = rows.head(size)
            itself = np.quantile(
                seconds(lambda some=some: champion.model.predict(some[names]), times), [0.5, 0.95]
            )
            http = np.quantile(seconds(partial(ask, session, url, body(some)), times), [0.5, 0.95])
            ms = (f"{value * 1e3:.1f}" for value in (itself[0], *http))
            ratios = (f"{value:.2f}" for value in http / itself)
            table.add_row(f"{size:,}", *ms, *ratios, f"{size / http[0]:,.0f}", f"{itself[0] / http[0]:.2f}")
    return table


def main(project: Path) -> int:
    """Print the tables; 1 when one row's score differs."""
    stores = [f"sqlite:///{project}/data/mlflow/{name}.db" for name in ("registry", "test")]
    registry = Registry(f"test.ml.{USE_CASE.model_name}", *stores)
    champion = registry.load(registry.aliased())
    rows, batch = flights(project, champion)
    itself = champion.model.predict(rows[list(champion.feature_names)])
    with tempfile.TemporaryDirectory() as landing, answering(USE_CASE, registry, Path(landing)) as url:
        http = pd.DataFrame(ask(requests.Session(), url, body(rows))).set_index("key")["score"]
        table = compared(rows, champion, url)
    gaps = [np.abs(found[rows["key"]].to_numpy() - itself).max() for found in (batch, http)]
    console = Console()
    console.print(table)
    console.print(
        f"{len(rows):,} flights: batch differs by {gaps[0]:g}, HTTP by {gaps[1]:g}, at most {SAME:g}"
    )
    return int(not max(gaps) <= SAME)


if __name__ == "__main__":
    if len(sys.argv) > 1:
        sys.exit(main(Path(sys.argv[1])))
    with tempfile.TemporaryDirectory() as made:
        sys.exit(main(built(Path(made) / "project")))
