"""A bundle as one target sees it: what the deployment would make of the files, but for what only a workspace knows."""

import re
from collections.abc import Mapping
from typing import Any

import yaml

from lakehouse_ml.deploy.bundle import ROOT_FILE, Files, merged
from lakehouse_ml.deploy.effective import effective
from lakehouse_ml.deploy.values import BundleError

REFERENCE = re.compile(r"\$\{([^}]+)\}")
# Made by the workspace or by the repository at hand.
LATER = ("resources.", "workspace.current_user.", "bundle.git.")
HOME = "/Workspace/Users/${workspace.current_user.userName}/.bundle/${bundle.name}/${bundle.target}"


def resolve(files: Files, target: str, given: Mapping[str, str]) -> dict[str, Any]:
    """Resources by type and name, with the target's values.

    Args:
        files: See ``bundle_files``.
        target: Name of the target.
        given: Variables of the deployment, e.g. ``{"warehouse_id": "4711"}``.

    Raises:
        BundleError: There is no such target or variable, a variable has no value, or a reference leads nowhere.
    """
    root = yaml.safe_load(files[ROOT_FILE])
    if target not in root["targets"]:
        raise BundleError(f"no target {target!r}; there are {', '.join(root['targets'])}")
    resources: dict[str, Any] = {}
    for path in sorted(path for path in files if path.startswith("resources/")):
        resources = merged(resources, yaml.safe_load(files[path])["resources"])
    own = root["targets"][target]
    return dict(_resolved(effective(merged(resources, own["resources"]), own), _known(root, target, given)))


def _known(root: Mapping[str, Any], target: str, given: Mapping[str, str]) -> dict[str, str]:
    """Value by reference."""
    variables = {name: variable.get("default") for name, variable in root["variables"].items()}
    strange = sorted(set(given) - set(variables))
    if strange:
        raise BundleError(f"no variable {', '.join(strange)}; there are {', '.join(sorted(variables))}")
    variables |= given
    missing = sorted(name for name, value in variables.items() if not value)
    if missing:
        raise BundleError(
            f"variables without a value: {', '.join(missing)}. Give each with --var NAME=VALUE, or as the "
            f"environment variable BUNDLE_VAR_NAME"
        )
    workspace = root["targets"][target]["workspace"]
    path = workspace.get("root_path", HOME)
    return {
        "bundle.name": root["bundle"]["name"],
        "bundle.target": target,
        "workspace.root_path": path,
        "workspace.file_path": workspace.get("file_path", f"{path}/files"),
        **{f"var.{name}": value for name, value in variables.items()},
    }


def _resolved(value: Any, known: Mapping[str, str]) -> Any:
    if isinstance(value, Mapping):
        return {key: _resolved(entry, known) for key, entry in value.items()}
    if isinstance(value, list):
        return [_resolved(entry, known) for entry in value]
    return REFERENCE.sub(lambda found: _value(found, known), value) if isinstance(value, str) else value


def _value(found: "re.Match[str]", known: Mapping[str, str]) -> str:
    name = found[1]
    if name.startswith(LATER):
        return found[0]
    if name not in known:
        raise BundleError(f"{found[0]}: leads nowhere; correct conf/base/bundle.yml")
    return str(_resolved(known[name], known))
