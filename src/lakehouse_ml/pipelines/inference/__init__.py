"""Inference: who is due, scored by the champion."""

from lakehouse_ml.pipelines.inference.pipeline import create_pipeline

__all__ = ["create_pipeline"]
