"""The files of a bundle: ``databricks.yml``, its resources, and what the job installs."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from lakehouse_ml.deploy.grants import bundle_access
from lakehouse_ml.deploy.graph import IsPersisted, Pipelines, Writes, check_graph
from lakehouse_ml.deploy.jobs import job_resource
from lakehouse_ml.deploy.objects import ALERT, EXPERIMENT, Resources, catalog_objects, other_objects
from lakehouse_ml.deploy.roles import Roles
from lakehouse_ml.deploy.values import BundleError, Cloud, Target, Values, reference
from lakehouse_ml.deploy.whole import check_whole

ROOT_FILE, PINS_FILE = "databricks.yml", "requirements.txt"
HEADER = "# Made by `kedro bundle` of conf/base/{bundle,roles}.yml, requirements/job.txt and the pipelines.\n"

Files = dict[str, str]


@dataclass(frozen=True)
class Project:
    """All that a bundle is made of.

    Attributes:
        values: ``conf/base/bundle.yml``.
        roles: ``conf/base/roles.yml``.
        pipelines: The registered ones.
        is_persisted: Whether a dataset outlives its process.
        writes: Tables that saving a dataset changes.
        pins: ``requirements/job.txt``.
    """

    values: Values
    roles: Roles
    pipelines: Pipelines
    is_persisted: IsPersisted
    writes: Writes
    pins: str


def bundle_files(project: Project, cloud: str) -> Files:
    """Text by path in the bundle's folder.

    Raises:
        BundleError: There is no such cloud, tasks share data in memory, or the platform's SDK does not know a field.
    """
    values = project.values
    if cloud not in values.clouds:
        raise BundleError(f"no cloud {cloud!r} in bundle.yml; there are {', '.join(sorted(values.clouds))}")
    jobs = {name: job.pipelines for name, job in values.pipeline_jobs.items()}
    check_graph(project.pipelines, jobs, project.is_persisted, project.writes)
    parts = _resources(project)
    root = _root(project, values.clouds[cloud])
    for target in root["targets"].values():
        check_whole(merged(_all(parts), target["resources"]))
    files = {f"resources/{name}.yml": {"resources": part} for name, part in parts.items()}
    texts = {path: _text(content) for path, content in {ROOT_FILE: root, **files}.items()}
    return {**texts, PINS_FILE: _plain_pins(project.pins)}


def write_bundle(files: Files, folder: Path) -> None:
    """Write the files, and remove resources of former ones."""
    for path, text in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text)
    for old in (folder / "resources").glob("*.yml"):
        if f"resources/{old.name}" not in files:
            old.unlink()


def _resources(project: Project) -> dict[str, dict[str, Resources]]:
    """By file, type and name."""
    values = project.values
    schemas = {name for row in project.roles.matrix for name in row.schemas}
    jobs = {
        f"{name}.job": {"jobs": {name: job_resource(values, name, project.pipelines)}} for name in values.jobs
    }
    return {
        **jobs,
        "catalog": catalog_objects(values, schemas),
        "operations": other_objects(values),
    }


def _all(parts: Mapping[str, Mapping[str, Resources]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for part in parts.values():
        found = merged(found, part)
    return found


def _root(project: Project, cloud: Cloud) -> dict[str, Any]:
    values = project.values
    return {
        "bundle": {"name": values.name, "engine": "direct"},
        "include": ["resources/*.yml"],
        # The archive of the configuration; the wheel goes where its references say.
        "sync": {
            "paths": [".", "../../dist"],
            "include": [f"../../dist/conf-{values.package}.tar.gz"],
            "exclude": ["../../dist/*.whl"],
        },
        "variables": {
            **{name: {"description": text} for name, text in {**values.variables, **cloud.variables}.items()},
            "platform": {"description": "What the tasks run on", "default": "databricks"},
            "release": {"description": "Name of the release, see `make deploy`", "default": "unreleased"},
            "node_type": {"description": "Machines of a cluster", "default": cloud.node_type},
            "storage_root": {"description": "Where schemas and landing lie", "default": cloud.storage_root},
        },
        "targets": {name: _target(project, cloud, name) for name in values.targets},
    }


def _target(project: Project, cloud: Cloud, name: str) -> dict[str, Any]:
    target = project.values.targets[name]
    workspace = {"host": cloud.hosts[name]}
    if target.root_path is None:
        # Without a mode: that of development renames the experiment and the model, whose names the code knows.
        own: dict[str, Any] = {"default": True, "workspace": workspace}
    else:
        place = {"root_path": target.root_path, **_release_folders()}
        own = {"mode": "production", "workspace": {**workspace, **place}}
    # No permissions: the platform would give them on every resource, the secret scope among them.
    return {
        **own,
        "presets": {"trigger_pause_status": target.pause_status},
        "resources": _target_resources(project, cloud, name),
    }


def _release_folders() -> dict[str, str]:
    """A folder for each release: a deployment would replace the wheel under the jobs that run on it."""
    folder = "${workspace.root_path}/releases/${var.release}"
    return {"file_path": f"{folder}/files", "artifact_path": f"{folder}/artifacts"}


def _target_resources(project: Project, cloud: Cloud, target: str) -> dict[str, Resources]:
    """Who runs, manages and reads what in a target, and what else is the target's own, by type and name."""
    values, given = project.values, bundle_access(project.roles, target)
    own = values.targets[target]
    jobs = {job: {**_name(values, own, target, job), **_present(given["jobs"][job])} for job in values.jobs}
    volumes = {name.replace(".", "_"): given["volumes"][name] for name in values.volumes}
    daily = _present({"run_as": given["jobs"]["daily"]["run_as"]})
    return {
        "jobs": jobs,
        "schemas": given["schemas"],
        "volumes": volumes,
        "experiments": {EXPERIMENT: given["experiment"]},
        "secret_scopes": {values.name: {**given["secret_scope"], **cloud.secret_backend}},
        # The preset does not reach alerts.
        "alerts": {ALERT: {**daily, "schedule": {"pause_status": own.pause_status}}},
    }


def _name(values: Values, target: Target, target_name: str, job: str) -> dict[str, str]:
    """Several people deploy jobs of a personal target; all else in it is shared, and has the names that code knows."""
    if target.root_path is not None:
        return {}
    return {"name": f"[{target_name} {reference('workspace.current_user.short_name')}] {values.name} {job}"}


def _present(fields: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value is not None}


def merged(base: Mapping[str, Any], own: Mapping[str, Any]) -> dict[str, Any]:
    """Both mappings; where both have a value, the second one's counts."""
    both = {
        key: merged(base[key], own[key])
        for key in {*base} & {*own}
        if isinstance(base[key], Mapping) and isinstance(own[key], Mapping)
    }
    return {**base, **own, **both}


def _text(content: Mapping[str, Any]) -> str:
    return HEADER + yaml.dump(content, Dumper=_Dumper, sort_keys=False, width=120)


class _Dumper(yaml.SafeDumper):
    """Without anchors, which hide what a line says."""

    def ignore_aliases(self, data: Any) -> bool:
        """Always."""
        return True


def _plain_pins(pins: str) -> str:
    """Exact versions without hashes: the platform installs them in one go with the wheel, which has none."""
    lines = re.findall(r"^[A-Za-z0-9._-]+==[^\\\n]+", pins, flags=re.MULTILINE)
    return HEADER + "".join(f"{line.strip()}\n" for line in lines)
