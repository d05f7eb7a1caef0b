"""Datasets of the lakehouse: where side effects on storage happen."""

from lakehouse_ml.datasets.alert_routes import AlertRoutes
from lakehouse_ml.datasets.delta_changes import DeltaChanges
from lakehouse_ml.datasets.delta_table import DeltaTable
from lakehouse_ml.datasets.landing import LandingFiles, LandingListing
from lakehouse_ml.datasets.promotion_ledger import PromotionLedger
from lakehouse_ml.datasets.recorded_table import RecordedTable, RecordedVersions
from lakehouse_ml.datasets.registered_model import Challengers, ModelRegistry, RegisteredModel
from lakehouse_ml.datasets.run_log import RunLog
from lakehouse_ml.datasets.serving_endpoint import ServingEndpoint
from lakehouse_ml.datasets.study_folder import StudyFolder
from lakehouse_ml.datasets.table_maintenance import TableMaintenance
from lakehouse_ml.datasets.table_versions import TableVersions
from lakehouse_ml.datasets.training_job import TrainingJob

__all__ = [
    "AlertRoutes",
    "Challengers",
    "DeltaChanges",
    "DeltaTable",
    "LandingFiles",
    "LandingListing",
    "ModelRegistry",
    "PromotionLedger",
    "RecordedTable",
    "RecordedVersions",
    "RegisteredModel",
    "RunLog",
    "ServingEndpoint",
    "StudyFolder",
    "TableMaintenance",
    "TableVersions",
    "TrainingJob",
]
