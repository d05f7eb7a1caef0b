"""Source of a declarative pipeline (Lakeflow): silver and quarantine of every source, by the contracts' rules.

An alternative to the stage ``ingestion`` from silver on, into schemas of its own. The pipeline installs the wheel,
and its configuration names the catalog: ``lakehouse_ml.catalog: prod``.
"""

from pyspark import pipelines
from pyspark.sql import DataFrame

from lakehouse_ml.datasets.session import get_spark
from lakehouse_ml.deploy.expectations import declare
from lakehouse_ml.flights import USE_CASE
from lakehouse_ml.use_case import landed_sources


def bronze(source: str) -> DataFrame:
    """Every landed line of a source, with the version that brought it."""
    spark = get_spark()
    table = f"{spark.conf.get('lakehouse_ml.catalog')}.bronze.{source}"
    changes = spark.read.option("readChangeFeed", "true").option("startingVersion", 0)
    return changes.table(table).where("_change_type = 'insert'")


declare(pipelines, landed_sources(USE_CASE), bronze)
