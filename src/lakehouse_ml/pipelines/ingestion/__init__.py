"""Landing files to bronze, silver and quarantine, in balance to the line."""

from lakehouse_ml.pipelines.ingestion.pipeline import create_pipeline

__all__ = ["create_pipeline"]
