"""A use case small enough to see through: will a visitor of a shop buy? It shares no line with flights."""

import gzip
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from pyspark.sql import Column as SparkColumn
from pyspark.sql import DataFrame
from pyspark.sql import functions as F
from sklearn.compose import make_column_selector, make_column_transformer
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from lakehouse_ml.lakehouse.contract import Column, Contract, by_table
from lakehouse_ml.lakehouse.sources import bronze_contract, source_contract
from lakehouse_ml.lakehouse.tables import TABLES
from lakehouse_ml.use_case import Costs, Estimator, Family, Labels, Params, Spine, UseCase

DAY = timedelta(days=1)
START = datetime(2024, 1, 1, tzinfo=UTC)

VISITS = source_contract(
    "visits",
    grain="visit of a shop",
    key=("visit",),
    fields=(
        Column("visit", "int", "Number of the visit", rule="visit >= 0"),
        Column("shop", "string", "Shop", rule="shop IN ('north', 'south')"),
        Column("pages", "int", "Pages seen", rule="pages BETWEEN 1 AND 100"),
    ),
)
SALES = source_contract(
    "sales",
    grain="end of a visit",
    key=("visit",),
    fields=(
        Column("visit", "int", "Number of the visit", rule="visit >= 0"),
        Column("is_sale", "boolean", "The visitor bought"),
    ),
)

KEY = Column("key", "string", "Number of the visit")
PREDICT_AT = Column("predict_at", "timestamp", "Moment of the question: the visit", unit="UTC")
PREDICT_DATE = Column("predict_date", "date", "Day of the visit", unit="UTC")

SPINE_CONTRACT = Contract(
    table="gold.visits",
    grain="visit",
    key=("key",),
    columns=(KEY, PREDICT_AT, PREDICT_DATE, Column("shop", "string", "Shop")),
    day="predict_date",
)
BEHAVIOUR_CONTRACT = Contract(
    table="gold.behaviour",
    grain="visit",
    key=("key",),
    columns=(
        KEY,
        Column("shop_name", "string", "Shop", required=False),
        Column("pages_seen", "double", "Pages seen", required=False),
    ),
)
LABELS_CONTRACT = Contract(
    table="gold.labels",
    grain="revision of a visit's end",
    key=("key", "_revision"),
    columns=(
        KEY,
        Column("is_sale", "boolean", "The visitor bought", required=False),
        Column("outcome", "string", "How the visit ended"),
        Column("label_known_at", "timestamp", "Moment from which it could be known", unit="UTC"),
        Column("_revision", "string", "Revision of the sale"),
    ),
    day="label_known_at",
)
FEATURES_CONTRACT = Contract(
    table="gold.features",
    grain="visit",
    key=("key",),
    columns=(KEY, PREDICT_DATE, PREDICT_AT, *BEHAVIOUR_CONTRACT.columns[1:]),
    day="predict_date",
)


def visit_key() -> SparkColumn:
    """The visit's key, from a record that names it."""
    return F.col("visit").cast("string")


def visits(records: DataFrame) -> DataFrame:
    """Every visit, asked about when it happens."""
    return records.select(
        visit_key().alias("key"),
        F.col("published_at").alias("predict_at"),
        F.to_date("published_at").alias("predict_date"),
        "shop",
    )


def behaviour(entities: DataFrame, records: DataFrame) -> DataFrame:
    """What the visitor did."""
    seen = records.select(
        visit_key().alias("key"),
        F.col("shop").alias("shop_name"),
        F.col("pages").cast("double").alias("pages_seen"),
    )
    return entities.select("key").join(seen, "key", "left")


def labels(records: DataFrame) -> DataFrame:
    """How every visit ended."""
    return records.select(
        visit_key().alias("key"),
        "is_sale",
        F.lit("ended").alias("outcome"),
        F.col("published_at").alias("label_known_at"),
        "_revision",
    )


def logistic(params: Params, seed: int) -> Pipeline:
    """Logistic regression."""
    columns = make_column_transformer(
        (
            make_pipeline(SimpleImputer(), StandardScaler()),
            make_column_selector(dtype_include="number"),
        ),
        (OneHotEncoder(handle_unknown="ignore"), make_column_selector(dtype_include="category")),
    )
    return make_pipeline(columns, LogisticRegression(C=params["C"], random_state=seed))


def trees(params: Params, seed: int) -> HistGradientBoostingClassifier:
    """Small boosted trees."""
    return HistGradientBoostingClassifier(
        **params, categorical_features="from_dtype", early_stopping=False, max_leaf_nodes=7, random_state=seed
    )


ESTIMATORS = (
    Estimator("baseline", lambda trial: {"C": trial.suggest_float("C", 0.1, 10.0)}, logistic, {"C": 1.0}),
    Estimator(
        "challenger",
        lambda trial: {"learning_rate": trial.suggest_float("learning_rate", 0.05, 0.3)},
        trees,
        {"learning_rate": 0.1},
        rounds="max_iter",
    ),
)


def shop(frame: pd.DataFrame) -> "pd.Series[Any]":
    """Shop."""
    return frame["shop"]


USE_CASE = UseCase(
    name="shop",
    model_name="sale",
    sources=(VISITS, SALES),
    spine=Spine(
        contract=SPINE_CONTRACT,
        inputs=("visits",),
        lookback=DAY,
        build=visits,
        key=visit_key,
        named_in=("visits", "sales"),
    ),
    families=(Family(contract=BEHAVIOUR_CONTRACT, inputs=("visits",), lookback=DAY, build=behaviour),),
    labels=Labels(contract=LABELS_CONTRACT, column="is_sale", source="sales", build=labels),
    estimators=ESTIMATORS,
    slices={"shop": shop},
    costs=Costs(false_alarm=1.0, miss=2.0),
    owners={"data": "shop data", "model": "shop science", "platform": "shop platform"},
)

CONTRACTS = by_table(
    (
        *(bronze_contract(source.name) for source in USE_CASE.sources),
        *USE_CASE.sources,
        SPINE_CONTRACT,
        FEATURES_CONTRACT,
        LABELS_CONTRACT,
        *TABLES,
    )
)


def records(days: range, visits_a_day: int = 200) -> Iterator[tuple[str, datetime, dict[str, Any]]]:
    """Source, moment of publication and record, of every visit and its end an hour later."""
    for day in days:
        random = np.random.default_rng(day)
        for number in range(visits_a_day):
            at = START + day * DAY + timedelta(seconds=60 * number)
            pages, in_north = int(random.integers(1, 30)), random.random() < 0.5
            chance = 1 / (1 + np.exp(3.5 - pages / 5 - in_north))
            visit = {"visit": day * visits_a_day + number}
            seen = {"shop": "north" if in_north else "south", "pages": pages}
            yield "visits", at, visit | seen
            yield "sales", at + timedelta(hours=1), visit | {"is_sale": bool(random.random() < chance)}


def play(landing: Path, days: range) -> None:
    """Land those days, one file per source and day."""
    lines: dict[tuple[str, str], list[str]] = {}
    for source, at, record in records(days):
        published = {"published_at": f"{at:%Y-%m-%dT%H:%M:%SZ}"}
        lines.setdefault((source, f"{at:%Y-%m-%d}"), []).append(json.dumps(record | published))
    for (source, period), found in lines.items():
        file = landing / source / f"{period}.jsonl.gz"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(gzip.compress("".join(f"{line}\n" for line in found).encode(), mtime=0))
