"""Tuned and fitted candidates: a baseline and a challenger, with everything that tells where they come from."""

from lakehouse_ml.pipelines.training.pipeline import create_pipeline

__all__ = ["create_pipeline"]
