"""Feature engineering: silver to gold, the affected days only."""

from lakehouse_ml.pipelines.feature_engineering.pipeline import create_pipeline

__all__ = ["create_pipeline"]
