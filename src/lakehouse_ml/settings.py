"""Kedro's settings."""

from kedro.config import OmegaConfigLoader

from lakehouse_ml.hooks import AlertRouteHooks, EventLogHooks, ProgressHooks, SessionHooks, TrackingHooks

CONFIG_LOADER_CLASS = OmegaConfigLoader
CONFIG_LOADER_ARGS = {
    "base_env": "base",
    "default_run_env": "dev",
    "config_patterns": {"spark": ["spark*", "spark*/**"], "mlflow": ["mlflow*", "mlflow*/**"]},
    # Destructive merging would drop base's siblings of every value that an environment changes.
    "merge_strategy": {name: "soft" for name in ("parameters", "globals", "spark", "mlflow")},
}

# A run sends nothing anywhere.
DISABLE_HOOKS_FOR_PLUGINS = ("kedro-telemetry",)

# The last one is asked first.
HOOKS = (SessionHooks(), EventLogHooks(), ProgressHooks(), AlertRouteHooks(), TrackingHooks())
