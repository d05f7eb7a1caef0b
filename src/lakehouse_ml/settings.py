"""Kedro's settings."""

from kedro.config import OmegaConfigLoader

from lakehouse_ml.deploy.secrets import secret
from lakehouse_ml.hooks import (
    AlertRouteHooks,
    EventLogHooks,
    JobRunHooks,
    ProgressHooks,
    SessionHooks,
    TrackingHooks,
)
from lakehouse_ml.platform import platform

CONFIG_LOADER_CLASS = OmegaConfigLoader
CONFIG_LOADER_ARGS = {
    "base_env": "base",
    "default_run_env": "dev",
    "config_patterns": {
        "catalog": ["catalog*", "catalog*/**", "platforms*"],
        "mlflow": ["mlflow*", "mlflow*/**", "platforms*"],
        "spark": ["spark*", "spark*/**"],
        "pipeline_sessions": ["pipeline_sessions*"],
        "roles": ["roles*", "roles*/**"],
    },
    "custom_resolvers": {"platform": platform, "secret": secret},
    # Destructive merging would drop base's siblings of every value that an environment changes.
    "merge_strategy": {
        name: "soft" for name in ("parameters", "globals", "spark", "pipeline_sessions", "mlflow", "roles")
    },
}

# A run sends nothing anywhere.
DISABLE_HOOKS_FOR_PLUGINS = ("kedro-telemetry",)

# The last one is asked first.
HOOKS = (SessionHooks(), EventLogHooks(), ProgressHooks(), AlertRouteHooks(), JobRunHooks(), TrackingHooks())
