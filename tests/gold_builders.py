"""Gold from records in pandas: the stage's own functions, without tables between them."""

from collections.abc import Iterable
from datetime import UTC, date, datetime
from pathlib import Path
from tempfile import mkdtemp

import pandas as pd
from pyspark.sql import DataFrame, SparkSession

from lakehouse_ml.flights import USE_CASE
from lakehouse_ml.lakehouse.run import Run
from lakehouse_ml.lakehouse.sources import record_fields
from lakehouse_ml.pipelines.feature_engineering.affected import find_affected_days, sources_read
from lakehouse_ml.pipelines.feature_engineering.gold import build_family, build_spine, join_families
from lakehouse_ml.use_case import Family

Records = dict[str, pd.DataFrame]
READ = sources_read(USE_CASE)
CONTRACTS = {contract.name: contract for contract in USE_CASE.sources}
PROGRESS = "consumer string, `table` string, version bigint, as_of timestamp"


def moment(text: str) -> datetime:
    """A moment in UTC."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def slice_of(year: Records, first: str, end: str) -> Records:
    """What the sources that features read published in a span of time, snapshots included."""
    spans = {source: _within(year[source], first, end) for source in READ}
    return spans | {"airports": year["airports"]}


def _within(records: pd.DataFrame, first: str, end: str) -> pd.DataFrame:
    at = records["published_at"]
    return records[(at >= pd.Timestamp(first, tz="UTC")) & (at < pd.Timestamp(end, tz="UTC"))]


def silver(spark: SparkSession, records: Records) -> dict[str, DataFrame]:
    """Silver frames of the records, each with the revision that its content has."""
    folder = Path(mkdtemp())
    for source in READ:
        _with_revision(source, records[source]).to_parquet(
            folder / source, index=False, coerce_timestamps="us"
        )
    return {source: spark.read.parquet(str(folder / source)) for source in READ}


def _with_revision(source: str, records: pd.DataFrame) -> pd.DataFrame:
    fields = [field for field in record_fields(CONTRACTS[source])]
    records = records[[field.name for field in fields]]
    content = pd.util.hash_pandas_object(records.astype(str).agg("|".join, axis=1), index=False)
    whole = {field.name: "Int32" for field in fields if field.type == "int"}
    return records.astype(whole).assign(_revision=[f"{number:020}" for number in content])


def run_at(as_of: str) -> Run:
    """A run of that now."""
    return Run("tested", moment(as_of), {f"silver.{source}": 0 for source in READ})


def affected(spark: SparkSession, new: Records, run: Run) -> list[date]:
    """Days that the records affect in a run without a predecessor."""
    frames = silver(spark, new)
    return find_affected_days(USE_CASE, run, spark.createDataFrame([], PROGRESS), *(frames[s] for s in READ))


def build_gold(
    spark: SparkSession,
    records: Records,
    run: Run,
    days: list[date],
    families: Iterable[Family] = USE_CASE.families,
) -> pd.DataFrame:
    """Spine and features of the days, in order of key."""
    tables = silver(spark, records)
    (due,) = build_spine(USE_CASE.spine, days, run, *(tables[name] for name in USE_CASE.spine.inputs))
    # Stored between the nodes, as in the lakehouse.
    spine = spark.createDataFrame(due.toPandas(), due.schema)
    built = [
        build_family(family, days, run, spine, *(tables[n] for n in (*family.inputs, *family.references)))
        for family in families
    ]
    (features,) = join_families(days, spine, *built)
    asked = spine.select("key", "destination", "distance_miles", "scheduled_arrival_at").withColumnsRenamed(
        {name: f"spine_{name}" for name in ("destination", "distance_miles")}
    )
    return features.join(asked, "key").toPandas().sort_values("key", ignore_index=True)
