"""Datasets of the lakehouse: where side effects on storage happen."""

from lakehouse_ml.datasets.delta_changes import DeltaChanges
from lakehouse_ml.datasets.delta_table import DeltaTable

__all__ = ["DeltaChanges", "DeltaTable"]
