"""Quarantined lines taken back after a rule was corrected."""

from lakehouse_ml.pipelines.replay_quarantine.pipeline import create_pipeline

__all__ = ["create_pipeline"]
