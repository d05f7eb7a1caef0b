"""Kedro's edge: hooks open the session, ask for the alerts' routes, write the event log, show what happens."""

from lakehouse_ml.hooks.alert_routes import AlertRouteHooks
from lakehouse_ml.hooks.event_log import EventLogHooks
from lakehouse_ml.hooks.progress import ProgressHooks
from lakehouse_ml.hooks.session import SessionHooks
from lakehouse_ml.hooks.tracking import TrackingHooks

__all__ = ["AlertRouteHooks", "EventLogHooks", "ProgressHooks", "SessionHooks", "TrackingHooks"]
