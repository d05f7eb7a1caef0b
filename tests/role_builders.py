"""The matrix of roles as conf has it, and changed for the worse."""

import copy
from functools import cache
from typing import Any

from kedro.config import OmegaConfigLoader

from lakehouse_ml.deploy.roles import Roles
from lakehouse_ml.settings import CONFIG_LOADER_ARGS
from project_builders import CONF


def written_roles(environment: str = "prod") -> dict[str, Any]:
    """``roles.yml`` of an environment as plain values."""
    return copy.deepcopy(_read(environment))


@cache
def _read(environment: str) -> dict[str, Any]:
    return OmegaConfigLoader(str(CONF), env=environment, **CONFIG_LOADER_ARGS)["roles"]


def roles_of(environment: str = "prod") -> Roles:
    """The matrix, with the names that an environment gives."""
    return Roles.model_validate(written_roles(environment))


def known_roles(environment: str = "prod") -> Roles:
    """The matrix of an environment whose service principals are all known."""
    written = written_roles(environment)
    written["application_ids"] = {
        role: f"id-of-{role}-in-{environment}" for role in written["application_ids"]
    }
    return Roles.model_validate(written)


def with_row(**row: Any) -> dict[str, Any]:
    """The written matrix with a row more."""
    written = written_roles()
    written["matrix"].append(row)
    return written
