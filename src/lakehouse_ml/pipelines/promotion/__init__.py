"""Promotion: the evaluated models in, one written decision and the champion out."""

from lakehouse_ml.pipelines.promotion.pipeline import create_pipeline

__all__ = ["create_pipeline"]
