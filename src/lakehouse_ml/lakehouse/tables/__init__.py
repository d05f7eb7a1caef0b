"""Contracts of the tables that every use case shares: ``ml`` and ``ops``."""

from lakehouse_ml.lakehouse.sources import QUARANTINE
from lakehouse_ml.lakehouse.tables.ml import EVALUATIONS, PREDICTIONS, TRIALS
from lakehouse_ml.lakehouse.tables.monitoring import (
    ALERTS,
    DRIFT_METRICS,
    PROFILE_METRICS,
    QUALITY_WINDOWS,
    RETRAIN_DECISIONS,
)
from lakehouse_ml.lakehouse.tables.ops import EVENT_LOG, INGESTION_LOG, PROGRESS, PROMOTION_LEDGER, RUNS

TABLES = (
    QUARANTINE, RUNS, PROGRESS, INGESTION_LOG, EVENT_LOG, PREDICTIONS, EVALUATIONS, TRIALS,
    QUALITY_WINDOWS, ALERTS, PROMOTION_LEDGER, PROFILE_METRICS, DRIFT_METRICS, RETRAIN_DECISIONS,
)  # fmt: skip

__all__ = [
    "ALERTS",
    "DRIFT_METRICS",
    "EVALUATIONS",
    "EVENT_LOG",
    "INGESTION_LOG",
    "PREDICTIONS",
    "PROFILE_METRICS",
    "PROGRESS",
    "PROMOTION_LEDGER",
    "QUALITY_WINDOWS",
    "QUARANTINE",
    "RETRAIN_DECISIONS",
    "RUNS",
    "TABLES",
    "TRIALS",
]
