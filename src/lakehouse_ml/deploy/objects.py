"""What the jobs need to find: schemas, volumes, the experiment, the secret scope, an alert.

The registered model is not among them: whoever makes it owns it, only an owner moves aliases, and that is promotion.
"""

from collections.abc import Iterable
from typing import Any

from lakehouse_ml.deploy.values import Values, reference

CATALOG = "${bundle.target}"
STORAGE = "${var.storage_root}"
EXPERIMENT, ALERT = "training", "no_run"

# What holds data is never taken away by a deployment, nor are models, which lie in a schema.
KEPT = {"lifecycle": {"prevent_destroy": True}}

Resources = dict[str, dict[str, Any]]


def catalog_objects(values: Values, schemas: Iterable[str]) -> dict[str, Resources]:
    """Schemas, by their names, and volumes."""
    return {
        "schemas": {name: _schema_resource(name) for name in sorted(schemas)},
        "volumes": {name.replace(".", "_"): _volume(values, name) for name in values.volumes},
    }


def other_objects(values: Values) -> dict[str, Resources]:
    """Experiment, secret scope and the alert of a run that did not come."""
    return {
        "experiments": {EXPERIMENT: {"name": values.experiment}},
        "secret_scopes": {values.name: {}},
        "alerts": {ALERT: _no_run(values)},
    }


def _schema(name: str) -> str:
    """Its name as deployed: a reference makes the schema first."""
    return reference(f"resources.schemas.{name}.name")


def _schema_resource(name: str) -> dict[str, Any]:
    return {"catalog_name": CATALOG, "name": name, "storage_root": f"{STORAGE}/{name}", **KEPT}


def _volume(values: Values, qualified: str) -> dict[str, Any]:
    schema, name = qualified.split(".")
    volume = values.volumes[qualified]
    place = {"storage_location": f"{STORAGE}/{name}"} if volume.external else {}
    return {
        "catalog_name": CATALOG,
        "schema_name": _schema(schema),
        "name": name,
        "volume_type": "EXTERNAL" if volume.external else "MANAGED",
        **place,
        "comment": volume.comment,
        **KEPT,
    }


def _no_run(values: Values) -> dict[str, Any]:
    alert = values.no_run_alert
    # Without a single run the newest is null, and no alert would tell of it.
    since = f"coalesce(timestampdiff(HOUR, max({alert.column}), current_timestamp()), 999999)"
    return {
        "display_name": f"{values.name}: no run came",
        "query_text": f"SELECT {since} AS hours FROM {CATALOG}.{alert.table}",
        "warehouse_id": "${var.warehouse_id}",
        "schedule": {"quartz_cron_schedule": alert.cron, "timezone_id": "UTC"},
        "evaluation": {
            "comparison_operator": "GREATER_THAN",
            "empty_result_state": "TRIGGERED",
            "source": {"name": "hours", "aggregation": "MAX"},
            "threshold": {"value": {"double_value": alert.hours}},
            "notification": {
                "subscriptions": [{"user_email": "${var.notification_email}"}],
                "notify_on_ok": True,
            },
        },
    }
