"""Environments have the same keys, and differ in the values that are listed here."""

import json
import re
import shutil
from collections.abc import Iterator
from fnmatch import fnmatch
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from kedro.config import OmegaConfigLoader
from kedro.framework.project import settings
from kedro.framework.startup import bootstrap_project

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parent.parent
CONF = ROOT / "conf"
REFERENCE = "dev"
ENVIRONMENTS = ("test", "staging", "prod")
KINDS = ("globals", "catalog", "parameters", "mlflow", "spark", "pipeline_sessions", "roles")

# What an environment says otherwise than dev, beside its own name.
MAY_DIFFER = {
    "test": {
        # Weeks instead of months.
        "parameters.training.*",
        "parameters.evaluation.measure.draws",
    },
    "staging": set[str](),
    "prod": {
        "globals.alert_routes",
        "globals.endpoint_scale_to_zero",
        "catalog.serving_endpoint.scale_to_zero",
        "catalog.alert_messages.routes",
        "parameters.promotion.rules.approval.*",
    },
}
EVERYWHERE = {"roles.application_ids.*"}


def flat(value: Any, path: str) -> Iterator[tuple[str, Any]]:
    """Path and value of every leaf; a list is one."""
    if isinstance(value, dict) and value:
        for key, inner in value.items():
            yield from flat(inner, f"{path}.{key}")
    else:
        yield path, value


@cache
def resolved(conf: Path, environment: str, kinds: tuple[str, ...] = KINDS) -> dict[str, str]:
    """Every value of an environment as JSON by its path, with the environment's own name left out."""
    bootstrap_project(ROOT)
    loader = OmegaConfigLoader(str(conf), env=environment, **settings.CONFIG_LOADER_ARGS)
    leaves = (leaf for kind in kinds for leaf in flat(loader[kind], kind))
    return {path: _without_name(environment, path, json.dumps(value, default=str)) for path, value in leaves}


def _without_name(environment: str, path: str, value: str) -> str:
    # The matrix of roles is about all environments.
    return value if path.startswith("roles.") else word(environment).sub("<environment>", value)


def word(name: str) -> re.Pattern[str]:
    """The name of an environment, also as a part of a longer name."""
    return re.compile(rf"(?<![A-Za-z0-9]){name}(?![A-Za-z0-9])")


def differences(conf: Path, environment: str, kinds: tuple[str, ...] = KINDS) -> list[str]:
    """What differs from dev and is not listed."""
    own, reference = resolved(conf, environment, kinds), resolved(CONF, REFERENCE, kinds)
    listed = MAY_DIFFER[environment] | EVERYWHERE
    odd = {path for path in own.keys() & reference.keys() if own[path] != reference[path]}
    odd = {path for path in odd if not any(fnmatch(path, pattern) for pattern in listed)}
    return sorted(odd | (own.keys() ^ reference.keys()))


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_environments_have_the_same_keys_and_differ_in_listed_values(environment: str) -> None:
    assert differences(CONF, environment) == []


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_everything_that_is_listed_does_differ(environment: str) -> None:
    own, reference = resolved(CONF, environment), resolved(CONF, REFERENCE)
    odd = {path for path in own if own[path] != reference[path]}
    assert [p for p in MAY_DIFFER[environment] if not any(fnmatch(path, p) for path in odd)] == []


@pytest.mark.parametrize(
    ("file", "planted", "found"),
    [
        ("globals.yml", "catalog: staging\nstorage_root: /elsewhere\n", "globals.storage_root"),
        ("globals.yml", "catalog: staging\nnew_switch: true\n", "globals.new_switch"),
        ("parameters.yml", "promotion: {rules: {floors: {roc_auc: {at_least: 0.1}}}}\n", "at_least"),
        ("catalog.yml", "scratch: {type: MemoryDataset}\n", "catalog.scratch.type"),
        ("mlflow.yml", "tracking: {experiment: {name: elsewhere}}\n", "mlflow.tracking.experiment.name"),
        ("roles.yml", "personal: [dev, staging]\n", "roles.personal"),
    ],
)
def test_a_difference_that_is_not_listed_is_found(
    tmp_path: Path, file: str, planted: str, found: str
) -> None:
    shutil.copytree(CONF, tmp_path / "conf")
    (tmp_path / "conf/staging" / file).write_text(planted)
    told = differences(tmp_path / "conf", "staging", (file.removesuffix(".yml"),))
    assert told
    assert any(found in path for path in told)


def test_dev_cannot_name_what_prod_owns() -> None:
    values = resolved(CONF, "dev")
    named = {p: v for p, v in values.items() if word("prod").search(v) and not p.startswith("roles.")}
    assert named == {}
