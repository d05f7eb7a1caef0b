"""The one Spark session of the process."""

import os
import sys
from collections.abc import Mapping
from importlib.resources import files

from pyspark.errors import PySparkRuntimeError
from pyspark.sql import SparkSession

from lakehouse_ml.java import missing_java

LOCAL_ADDRESS = "127.0.0.1"

_settings: dict[str, str] = {}


class JavaMissingError(RuntimeError):
    """Spark has no Java to run on."""


def configure_spark(conf: Mapping[str, str]) -> None:
    """Remember how to start Spark; it starts when a dataset first needs it.

    Args:
        conf: Settings of a new session, e.g. ``conf/base/spark.yml``; empty where the platform brings its own.
    """
    _settings.clear()
    _settings.update(conf)


def get_spark() -> SparkSession:
    """The running session, in whatever thread a node works, or a new one with the configured settings.

    Raises:
        JavaMissingError: There is no Java to start one on.
    """
    try:
        return SparkSession.active()
    except PySparkRuntimeError:
        return _start()


def _start() -> SparkSession:
    # The platform's session and that of a server run elsewhere.
    if "spark.master" in _settings:
        _prepare_machine()
    builder = SparkSession.builder
    for key, value in _settings.items():
        builder = builder.config(key, value)
    return builder.getOrCreate()


def _prepare_machine() -> None:
    problem = missing_java()
    if problem:
        raise JavaMissingError(problem)
    # Workers start the first python3 on PATH otherwise, which has none of our packages.
    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    os.environ.setdefault("SPARK_LOCAL_IP", LOCAL_ADDRESS)
    # Spark's own profile tells at every start that it is used, and how to change that.
    os.environ.setdefault("LOG4J_CONFIGURATION_FILE", str(files(__package__).joinpath("log4j2.properties")))
