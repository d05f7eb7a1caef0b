"""How good the candidates and the champion are on days that none was trained on, and by how much they differ."""

from lakehouse_ml.pipelines.evaluation.pipeline import create_pipeline

__all__ = ["create_pipeline"]
