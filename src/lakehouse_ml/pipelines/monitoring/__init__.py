"""Watching a champion: drift, quality once labels are in, alerts, when to retrain, and one page of it all."""

from lakehouse_ml.pipelines.monitoring.pipeline import create_pipeline

__all__ = ["create_pipeline"]
