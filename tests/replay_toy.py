"""The shop's use case replayed: the real conf and sessions, over weeks that take seconds."""

import shutil
import sys
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import yaml
from kedro.framework.project import pipelines
from kedro.framework.startup import bootstrap_project

import toy
from lakehouse_ml import pipeline_registry
from lakehouse_ml.cli.replaying import replay_folder
from lakehouse_ml.datasets.session import get_spark
from lakehouse_ml.incidents import Poisoned
from lakehouse_ml.replay.data_part import play_data
from lakehouse_ml.replay.policies import POLICIES
from lakehouse_ml.replay.policy_part import play_policy
from lakehouse_ml.replay.steps import Step
from lakehouse_ml.replay.world import DATA, World, build_world
from processes import QUICK_TO_START, ROOT, project_at

WEEK = timedelta(days=7)
BEGUN = "begun"
# A champion trained at the end of February; March begins with the next step.
FIRST = toy.START + timedelta(days=54)
SECOND = FIRST + WEEK
SMALL = {
    "tuning": {"days": 7, "trials": {"baseline": 1, "challenger": 1}, "startup_trials": 1, "max_rounds": 20}
}
RETRAIN = {"schedule_days": 7, "cooldown_days": 7, "min_new_labels": 100}
HOURS = {"visits": 30, "sales": 30}


def use_shop(patch: Callable[[Any, str, Any], object] = setattr) -> None:
    """Let sessions run the shop's pipelines."""
    bootstrap_project(ROOT)
    patch(pipeline_registry, "USE_CASE", toy.USE_CASE)
    pipelines.configure("lakehouse_ml.pipeline_registry")


def shop_project(folder: Path) -> Path:
    """The real conf, but for names of the shop's and sizes that take seconds."""
    project = project_at(folder, QUICK_TO_START)
    globals_ = {"catalog": "test", "contracts": "toy.CONTRACTS", "model_name": "sale"}
    (project / "conf/test/globals.yml").write_text(yaml.safe_dump(globals_))
    _change(project / "conf/base/parameters_monitoring.yml", _shop_monitoring)
    _change(project / "conf/replay/parameters.yml", lambda given: {**given, "training": SMALL})
    return project


def _shop_monitoring(given: dict[str, Any]) -> dict[str, Any]:
    monitoring = given["monitoring"]
    monitoring["data"] |= {"max_hours": HOURS, "no_fixed_time": []}
    monitoring["drift"]["rules"][0] |= {"features": ["shop_name", "pages_seen"], "but_not": []}
    monitoring["retrain"] |= RETRAIN
    return given


def _change(file: Path, change: Callable[[dict[str, Any]], dict[str, Any]]) -> None:
    file.write_text(yaml.safe_dump(change(yaml.safe_load(file.read_text())), sort_keys=False))


def shop_world(folder: Path, incidents: str) -> World:
    """A replay of the shop, of which nothing was played, where the command looks for it."""
    project = shop_project(folder / "project")
    world = World(
        replay_folder(project, "test") / f"shop-from-{FIRST:%Y-%m-%d}-step-{WEEK.days * 24}h", project
    )
    build_world(world, "test", tuple(POLICIES), incidents)
    return world


def shop_feed(landing: Path, since: datetime | None, until: datetime) -> None:
    """Land the shop's days of a step."""
    first = 0 if since is None else (since - toy.START).days
    toy.play(landing, range(first, (until - toy.START).days))


def play(
    world: World, nows: list[datetime], *policies: str, poisons: tuple[Poisoned, ...] = ()
) -> list[Step]:
    """Play the data part and some policies; the steps of the data part."""
    steps = list(play_data(world, nows, shop_feed))
    for policy in policies:
        for _ in play_policy(world, policy, steps, poisons):
            pass
    return steps


def copy_stores(template: Path, world: World) -> None:
    """MLflow's stores, which take seconds to make and none to copy."""
    (world.folder / "mlflow").mkdir(parents=True)
    for name in ("registry", *POLICIES, "data"):
        shutil.copy(template / "store.db", world.folder / "mlflow" / f"{name}.db")


if __name__ == "__main__":
    use_shop()
    replayed = World(Path(sys.argv[1]), Path(sys.argv[2]))
    with replayed.opened(DATA):
        get_spark()
    sys.stdout.write(f"{BEGUN}\n")
    sys.stdout.flush()
    play(replayed, [FIRST, SECOND], *sys.argv[3:])
