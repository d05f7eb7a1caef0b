"""What the platform's command line makes of a target's own settings, before it deploys the resources."""

from collections.abc import Mapping
from typing import Any

# A target's permissions go to every resource of these types, each under a level of its own.
LEVELS: Mapping[str, Mapping[str, str]] = {
    "jobs": {"CAN_VIEW": "CAN_VIEW", "CAN_RUN": "CAN_MANAGE_RUN", "CAN_MANAGE": "CAN_MANAGE"},
    "experiments": {"CAN_VIEW": "CAN_READ", "CAN_MANAGE": "CAN_MANAGE"},
    "secret_scopes": {"CAN_VIEW": "READ", "CAN_MANAGE": "MANAGE"},
    "alerts": {"CAN_VIEW": "CAN_READ", "CAN_RUN": "CAN_RUN", "CAN_MANAGE": "CAN_MANAGE"},
}
_STARTS = ("schedule", "trigger")

Named = Mapping[str, Mapping[str, Any]]


def effective(resources: Mapping[str, Named], target: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """The resources with what the target gives to all of them.

    Args:
        resources: By type and name.
        target: Its settings in ``databricks.yml``: the preset for triggers, and permissions.
    """
    pause = target.get("presets", {}).get("trigger_pause_status")
    shared = target.get("permissions", [])
    return {
        kind: {
            name: _permitted(kind, _paused(kind, resource, pause), shared) for name, resource in named.items()
        }
        for kind, named in resources.items()
    }


def _paused(kind: str, resource: Mapping[str, Any], pause: str | None) -> Mapping[str, Any]:
    """Only jobs are paused by the preset, and only where they say nothing themselves."""
    starts = {name: resource[name] for name in _STARTS if name in resource}
    if kind != "jobs" or pause is None:
        return resource
    return {**resource, **{name: {"pause_status": pause, **start} for name, start in starts.items()}}


def _permitted(kind: str, resource: Mapping[str, Any], shared: list[dict[str, str]]) -> Mapping[str, Any]:
    own = resource.get("permissions", [])
    levels, named = LEVELS.get(kind, {}), [_who(entry) for entry in own]
    # Whom the resource itself names keeps that level.
    more = [
        {**_who(entry), "level": levels[entry["level"]]}
        for entry in shared
        if entry["level"] in levels and _who(entry) not in named
    ]
    return {**resource, "permissions": [*own, *more]} if more else resource


def _who(entry: Mapping[str, str]) -> dict[str, str]:
    return {key: value for key, value in entry.items() if key != "level"}
