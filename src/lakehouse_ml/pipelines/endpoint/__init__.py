"""The serving endpoint put right, where promotion could not."""

from lakehouse_ml.pipelines.endpoint.pipeline import create_pipeline

__all__ = ["create_pipeline"]
