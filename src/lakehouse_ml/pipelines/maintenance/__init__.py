"""Weekly upkeep of the tables."""

from lakehouse_ml.pipelines.maintenance.pipeline import create_pipeline

__all__ = ["create_pipeline"]
