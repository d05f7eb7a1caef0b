"""Kedro's edge: hooks open the session and a job's MLflow run, ask for the alerts' routes, log and show progress."""

from lakehouse_ml.hooks.alert_routes import AlertRouteHooks
from lakehouse_ml.hooks.event_log import EventLogHooks
from lakehouse_ml.hooks.job_run import JobRunHooks
from lakehouse_ml.hooks.progress import ProgressHooks
from lakehouse_ml.hooks.session import SessionHooks
from lakehouse_ml.hooks.tracking import TrackingHooks

__all__ = [
    "AlertRouteHooks",
    "EventLogHooks",
    "JobRunHooks",
    "ProgressHooks",
    "SessionHooks",
    "TrackingHooks",
]
