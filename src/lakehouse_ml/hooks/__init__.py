"""Kedro's edge: one hook opens the session, one writes the event log, one shows what happens."""

from lakehouse_ml.hooks.event_log import EventLogHooks
from lakehouse_ml.hooks.progress import ProgressHooks
from lakehouse_ml.hooks.session import SessionHooks

__all__ = ["EventLogHooks", "ProgressHooks", "SessionHooks"]
