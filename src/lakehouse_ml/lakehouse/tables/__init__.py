"""Contracts of the tables that every use case shares: ``ml``, ``ops``, and the sources that the platform lands."""

from lakehouse_ml.lakehouse.sources import QUARANTINE, bronze_contract
from lakehouse_ml.lakehouse.tables.ml import EVALUATIONS, PREDICTIONS, TRIALS
from lakehouse_ml.lakehouse.tables.monitoring import (
    ALERTS,
    DRIFT_METRICS,
    PROFILE_METRICS,
    QUALITY_WINDOWS,
    RETRAIN_DECISIONS,
)
from lakehouse_ml.lakehouse.tables.ops import EVENT_LOG, INGESTION_LOG, PROGRESS, PROMOTION_LEDGER, RUNS
from lakehouse_ml.lakehouse.tables.requests import REQUESTS

# Landed by the platform beside a use case's own sources: none of them has to be there, and none tells the time.
PLATFORM_SOURCES = (REQUESTS,)

TABLES = (
    QUARANTINE, RUNS, PROGRESS, INGESTION_LOG, EVENT_LOG, PREDICTIONS, EVALUATIONS, TRIALS,
    QUALITY_WINDOWS, ALERTS, PROMOTION_LEDGER, PROFILE_METRICS, DRIFT_METRICS, RETRAIN_DECISIONS,
    *(bronze_contract(source.name) for source in PLATFORM_SOURCES), *PLATFORM_SOURCES,
)  # fmt: skip

__all__ = [
    "ALERTS",
    "DRIFT_METRICS",
    "EVALUATIONS",
    "EVENT_LOG",
    "INGESTION_LOG",
    "PLATFORM_SOURCES",
    "PREDICTIONS",
    "PROFILE_METRICS",
    "PROGRESS",
    "PROMOTION_LEDGER",
    "QUALITY_WINDOWS",
    "QUARANTINE",
    "REQUESTS",
    "RETRAIN_DECISIONS",
    "RUNS",
    "TABLES",
    "TRIALS",
]
