"""A replay's own environments: one for the data part, and one for each policy that reads it."""

import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import reduce
from pathlib import Path
from typing import Any

import yaml
from kedro.config import AbstractConfigLoader
from kedro.framework.context import KedroContext
from kedro.framework.project import settings
from kedro.framework.session import KedroSession

from lakehouse_ml.replay.code import record_code
from lakehouse_ml.replay.steps import ReplayError, StepRecords

DATA = "data"
BASE = "base"
# Values of every environment of a replay; nobody is to be told of alerts that are long past.
ROOTS = ("storage", "landing", "reporting", "mlflow")
QUIET = ["file"]
INCIDENTS = "incidents.yml"


@dataclass(frozen=True)
class World:
    """Everything of one replay lies in its folder: conf as it was when it began, landing files, tables, models.

    Attributes:
        folder: The replay's folder.
        project_path: The project that is replayed.
    """

    folder: Path
    project_path: Path

    @property
    def conf(self) -> Path:
        """Its configuration: ``base``, and one folder per environment."""
        return self.folder / "conf"

    @property
    def landing(self) -> Path:
        """Landing folder of the data part."""
        return self.folder / "landing" / DATA

    @property
    def reporting(self) -> Path:
        """Pages."""
        return self.folder / "reporting"

    def state(self, environment: str) -> Path:
        """State folder of an environment."""
        return self.folder / "storage" / environment / "_state"

    def current_step(self, policy: str) -> Path:
        """The record of the step at which a policy stands."""
        return self.state(policy) / "step.json"

    def done(self, environment: str) -> StepRecords:
        """The steps that an environment has behind it."""
        return StepRecords(self.state(environment) / "steps")

    @contextmanager
    def opened(self, environment: str, **params: Any) -> Iterator[tuple[KedroSession, KedroContext]]:
        """A session of one of the replay's environments, good for one run, with its context."""
        session = KedroSession.create(
            self.project_path, env=environment, conf_source=str(self.conf), runtime_params=params
        )
        with session:
            yield session, session.load_context()


def build_world(world: World, env: str, policies: tuple[str, ...], incidents: str) -> None:
    """Write the replay's configuration and the code it begins with, or make sure that it began with the same values.

    Args:
        world: The replay.
        env: Environment of the project whose values hold.
        policies: Names of the policies.
        incidents: Text of the incidents' file; empty: there are none.

    Raises:
        ReplayError: It began with other values, or the environment's tables are no folders.
    """
    conf = world.project_path / settings.CONF_SOURCE
    files = {**_base(conf), **_environment(conf, env, world, DATA), Path(INCIDENTS): incidents}
    for policy in policies:
        files |= _environment(conf, env, world, policy)
        files[Path(policy) / "catalog.yml"] = (conf / "replay" / "catalog.yml").read_text()
    if world.conf.is_dir():
        _refuse_other_values(world, files)
        return
    half = world.folder / "_conf"
    shutil.rmtree(half, ignore_errors=True)
    for name, text in files.items():
        (half / name).parent.mkdir(parents=True, exist_ok=True)
        (half / name).write_text(text)
    record_code(world.folder, world.project_path)
    os.replace(half, world.conf)


def _base(conf: Path) -> dict[Path, str]:
    return {Path(BASE) / file.name: file.read_text() for file in (conf / BASE).glob("*.yml")}


def _environment(conf: Path, env: str, world: World, name: str) -> dict[Path, str]:
    """Files of one environment of the replay: values of the project's environment, then the replay's."""
    given = {file.name: file.read_text() for file in sorted((conf / env).glob("*.yml"))}
    own = [text for file, text in given.items() if file.startswith("parameters")]
    kept = {
        Path(name) / file: text
        for file, text in given.items()
        if not file.startswith(("parameters", "globals"))
    }
    merged = reduce(merge, [*map(yaml.safe_load, own), _changes(conf)])
    written = {"globals.yml": _values(conf, env, world, name), "parameters.yml": merged}
    return kept | {Path(name) / file: yaml.safe_dump(values) for file, values in written.items()}


def merge(values: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """Nested values, those of ``changes`` in the place of what they name."""
    inner = {
        name: merge(values[name], new) for name, new in changes.items() if _both_nested(values, new, name)
    }
    return {**values, **changes, **inner}


def _both_nested(values: Mapping[str, Any], new: Any, name: str) -> bool:
    return isinstance(new, Mapping) and isinstance(values.get(name), Mapping)


def _values(conf: Path, env: str, world: World, name: str) -> dict[str, Any]:
    values = global_values(conf, env)
    if values["platform"] != "local":
        raise ReplayError(
            f"platform of {env} is {values['platform']}: a replay needs tables that are folders"
        )
    roots = {f"{root}_root": str(world.folder / root) for root in ROOTS}
    return {**values, **roots, "catalog": name, "alert_routes": QUIET}


def global_values(conf: Path, env: str) -> Mapping[str, Any]:
    """The globals of an environment."""
    return dict(_loader(conf, env)["globals"])


def parameters(conf: Path, env: str) -> Mapping[str, Any]:
    """The parameters of every policy: those of the environment, then the replay's."""
    return merge(_loader(conf, env)["parameters"], _changes(conf))


def _changes(conf: Path) -> dict[str, Any]:
    return dict(yaml.safe_load((conf / "replay" / "parameters.yml").read_text()))


def _loader(conf: Path, env: str) -> AbstractConfigLoader:
    return settings.CONFIG_LOADER_CLASS(str(conf), env=env, **settings.CONFIG_LOADER_ARGS)


def _refuse_other_values(world: World, files: Mapping[Path, str]) -> None:
    began = {file.relative_to(world.conf): file.read_text() for file in world.conf.rglob("*.yml")}
    changed = sorted(str(name) for name in files.keys() | began if files.get(name) != began.get(name))
    if changed:
        raise ReplayError(
            f"{world.folder} was begun with other values, in {', '.join(changed)}: take them back, or remove the "
            f"folder to begin anew"
        )
