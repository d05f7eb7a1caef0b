"""The one Spark session of the process."""

import os
import sys
from collections.abc import Mapping

from pyspark.sql import SparkSession

LOCAL_ADDRESS = "127.0.0.1"


def get_spark(conf: Mapping[str, str] | None = None) -> SparkSession:
    """The running session, or a new one.

    Args:
        conf: Settings of a new session, e.g. ``conf/base/spark.yml``. On Databricks the platform's session is
            running already and keeps its own.
    """
    running = SparkSession.getActiveSession()
    if running is not None:
        return running
    # Workers start the first python3 on PATH otherwise, which has none of our packages.
    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    os.environ.setdefault("SPARK_LOCAL_IP", LOCAL_ADDRESS)
    builder = SparkSession.builder
    for key, value in (conf or {}).items():
        builder = builder.config(key, value)
    return builder.getOrCreate()
