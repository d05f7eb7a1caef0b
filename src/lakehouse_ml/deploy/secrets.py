"""Secrets by name: ``${secret:scope,key}`` in the configuration, the value only where it is used."""

import os
import re
from pathlib import Path
from typing import Any

import yaml
from kedro.utils import find_kedro_project

from lakehouse_ml.platform import platform

_LOCAL = "conf/local/secrets.yml"
# Names that Azure Key Vault takes; other scopes take more.
_KEY = re.compile(r"[0-9A-Za-z-]{1,127}")


class SecretError(RuntimeError):
    """A secret cannot be had; the message names it and where it is looked for, never a value."""


class Secret:
    """The name of a secret; its value is looked up when it is asked for, and no text of this object holds it.

    A plain class, since OmegaConf takes dataclasses apart.

    Args:
        scope: Secret scope on Databricks; elsewhere the first part of the variable's name.
        key: Key in the scope.
    """

    __slots__ = ("key", "scope")

    def __init__(self, scope: str, key: str) -> None:
        self.scope = scope
        self.key = key

    def __repr__(self) -> str:
        return f"secret {self.scope}/{self.key}"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and (self.scope, self.key) == (other.scope, other.key)

    def __hash__(self) -> int:
        return hash((self.scope, self.key))

    @property
    def variable(self) -> str:
        """Environment variable that holds the value outside Databricks."""
        return re.sub(r"[^A-Z0-9]+", "_", f"{self.scope}_{self.key}".upper())

    def reveal(self) -> str:
        """The value: on Databricks from the scope, elsewhere from the variable or ``conf/local/secrets.yml``.

        Raises:
            SecretError: There is none, or it may not be read.
        """
        if platform() == "databricks":
            return self._in_scope()
        value = os.environ.get(self.variable) or self._in_file()
        if not value:
            raise SecretError(
                f"{self} is not set: set environment variable {self.variable}, or {self.key} below {self.scope} in "
                f"{_LOCAL}"
            )
        return value

    def _in_scope(self) -> str:
        # Laptops need no Databricks client to start.
        from databricks.sdk import WorkspaceClient

        try:
            # In a job this is the runtime's own object: the vendor keeps the REST call beneath it to that object.
            found: str = WorkspaceClient().dbutils.secrets.get(self.scope, self.key)
        except Exception as error:
            # The runtime's object raises what the JVM or the client raised, and what they say can hold the request.
            raise SecretError(
                f"{self} cannot be read ({type(error).__name__}): put it into the scope, and let the job's principal "
                f"read the scope"
            ) from None
        if not found:
            raise SecretError(f"{self} is empty: put its value into the scope")
        return found

    def _in_file(self) -> str | None:
        path = (find_kedro_project(Path.cwd()) or Path.cwd()) / _LOCAL
        if not path.is_file():
            return None
        try:
            written: Any = yaml.safe_load(path.read_text())
        except yaml.YAMLError:
            # A parser quotes the line that it stumbles over.
            raise SecretError(f"{self} cannot be read: {_LOCAL} is no YAML") from None
        scope = written.get(self.scope) if isinstance(written, dict) else None
        value = scope.get(self.key) if isinstance(scope, dict) else None
        return value if isinstance(value, str) else None


def secret(scope: str, key: str) -> Secret:
    """The resolver of ``${secret:scope,key}``: the name alone, so that what shows the configuration shows no value.

    Raises:
        SecretError: Not every store can hold an entry of that name.
    """
    if not _KEY.fullmatch(key):
        raise SecretError(
            f"{Secret(scope, key)} can have no value on Azure: a Key Vault's names are letters, digits and hyphens"
        )
    return Secret(scope, key)


def _as_written(dumper: yaml.representer.SafeRepresenter, shown: Secret) -> yaml.ScalarNode:
    return dumper.represent_str(f"${{secret:{shown.scope},{shown.key}}}")


for _dumper in (yaml.Dumper, yaml.SafeDumper):
    yaml.add_representer(Secret, _as_written, Dumper=_dumper)
