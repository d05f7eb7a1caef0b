"""Keeping a frame that several writes read, where the platform can."""

from pyspark.sql import DataFrame

# Databricks serverless refuses to persist; there the setting is absent and the frame is computed for each write.
_SETTING = "spark.lakehouse_ml.persist"


def persisted(frame: DataFrame) -> DataFrame:
    """The same frame, computed once for all its readers where ``spark.lakehouse_ml.persist`` is true."""
    return frame.persist() if frame.sparkSession.conf.get(_SETTING, "false") == "true" else frame
