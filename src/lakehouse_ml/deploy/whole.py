"""Every resource through the types of the platform's own SDK: what they do not know would be dropped or refused."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from databricks.sdk.service import catalog, jobs, ml, sql, workspace

from lakehouse_ml.deploy.values import BundleError

# Fields that are no part of a resource: of an API of their own, or the deployment's.
_OF_THE_BUNDLE = ("permissions", "grants", "lifecycle")
_NUMBER = re.compile(r"\$\{resources\.jobs\.\w+\.id\}")
# Of each resource type, and of the entries of its permissions.
TYPES: Mapping[str, Any] = {
    "jobs": jobs.JobSettings,
    "schemas": catalog.SchemaInfo,
    "volumes": catalog.VolumeInfo,
    "experiments": ml.Experiment,
    "secret_scopes": workspace.SecretScope,
    "alerts": sql.AlertV2,
}
PERMISSIONS: Mapping[str, Any] = {
    "jobs": jobs.JobAccessControlRequest,
    "experiments": ml.ExperimentAccessControlRequest,
    "secret_scopes": workspace.AclItem,
}


def check_whole(resources: Mapping[str, Mapping[str, Mapping[str, Any]]]) -> None:
    """Make sure that every resource comes back from the SDK's type as it went in.

    Args:
        resources: By type and name, as in the bundle.

    Raises:
        BundleError: Naming each field that does not.
    """
    lost = [
        f"{kind}.{name}{path}"
        for kind, named in resources.items()
        for name, resource in named.items()
        for path in _lost(kind, resource)
    ]
    if lost:
        raise BundleError(f"the platform's SDK does not know {', '.join(lost)}: correct the generator")


def _lost(kind: str, resource: Mapping[str, Any]) -> Iterator[str]:
    own = {key: _numbered(value) for key, value in resource.items() if key not in _OF_THE_BUNDLE}
    yield from differences(own, TYPES[kind].from_dict(own).as_dict())
    for grant in resource.get("grants", ()):
        yield from _under(
            ".grants", differences(grant, catalog.PrivilegeAssignment.from_dict(grant).as_dict())
        )
    for permission in resource.get("permissions", ()):
        sent = _request(kind, permission)
        yield from _under(".permissions", differences(sent, PERMISSIONS[kind].from_dict(sent).as_dict()))


def _numbered(value: Any) -> Any:
    """With a number where the deployment puts that of a job in, which the SDK's type asks for."""
    if isinstance(value, Mapping):
        return {key: _numbered(entry) for key, entry in value.items()}
    if isinstance(value, list):
        return [_numbered(entry) for entry in value]
    return 1 if isinstance(value, str) and _NUMBER.fullmatch(value) else value


def _request(kind: str, permission: Mapping[str, str]) -> dict[str, str]:
    """An entry as the API takes it: the bundle has one form for all."""
    who = {key: value for key, value in permission.items() if key != "level"}
    if kind == "secret_scopes":
        return {"principal": next(iter(who.values())), "permission": permission["level"]}
    return {**who, "permission_level": permission["level"]}


def _under(path: str, found: Iterator[str]) -> Iterator[str]:
    return (path + end for end in found)


def differences(sent: Any, back: Any) -> Iterator[str]:
    """Paths at which two values differ."""
    if isinstance(sent, Mapping) and isinstance(back, Mapping):
        for key in sorted({*sent} | {*back}):
            yield from _under(f".{key}", differences(sent.get(key), back.get(key)))
    elif isinstance(sent, list) and isinstance(back, list) and len(sent) == len(back):
        for number, (one, other) in enumerate(zip(sent, back, strict=True)):
            yield from _under(f"[{number}]", differences(one, other))
    elif sent != back:
        yield ""
