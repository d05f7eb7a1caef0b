"""A stand-in for the platform's jobs: runs the tasks of a bundle, each as a process of its own, as the bundle says.

It honours what the platform promises a task: the order of dependencies, the entry point's name in the wheel's metadata,
parameters and the references in them, jobs run by jobs, and that only a plain return is success. The working directory
means nothing, and has to stay empty.
"""

import os
import re
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from graphlib import TopologicalSorter
from pathlib import Path
from typing import Any

DYNAMIC = re.compile(r"\{\{([^}]+)\}\}")
# How a host calls a wheel: by the name in its metadata. Some take themselves for an interactive shell, some do not.
HOST = """
import sys
from importlib.metadata import entry_points
shell, package, name, *arguments = sys.argv[1:]
if shell == "interactive":
    sys.ps1 = ">>> "
sys.argv = [name, *arguments]
[entry] = [found for found in entry_points(group="console_scripts", name=name) if found.dist.name == package]
try:
    result = entry.load()()
except SystemExit as exit:
    raise RuntimeError(f"the entry exits with {exit.code!r}, which a host takes for a failure") from exit
assert result is None, result
"""


class TaskFailedError(RuntimeError):
    """A task ended otherwise than by a plain return; the message holds the end of what it printed."""


@dataclass
class Platform:
    """Where jobs run.

    Attributes:
        resources: The bundle's resources, as one target sees them.
        python: Interpreter of the environment that the wheel is installed in.
        workspace: Folder that stands for ``/Workspace``.
        environment: Further variables of the tasks' processes.
        done: What ran, in order: job, task, seconds.
    """

    resources: Mapping[str, Any]
    python: Path
    workspace: Path
    environment: Mapping[str, str] = field(default_factory=dict)
    done: list[tuple[str, str, float]] = field(default_factory=list)

    @property
    def numbers(self) -> dict[str, int]:
        """Number of each job."""
        return {job: 101 + place for place, job in enumerate(sorted(self.resources["jobs"]))}

    def run_job(
        self,
        job: str,
        run_id: int,
        given: Mapping[str, str] | None = None,
        only: Sequence[str] | None = None,
    ) -> None:
        """Run a job's tasks in the order of their dependencies; the same ``run_id`` again repairs the run.

        Args:
            job: Its name in the bundle.
            run_id: The run's number.
            given: Parameters that differ from the job's defaults.
            only: Tasks that run; None: all.

        Raises:
            TaskFailedError: A task failed; what depends on it does not run.
        """
        for task in self.ordered(job):
            if only is None or task["task_key"] in only:
                self.run_task(job, task, run_id, given or {})

    def ordered(self, job: str) -> list[dict[str, Any]]:
        """The job's tasks, each after those that it depends on."""
        tasks = {task["task_key"]: task for task in self.resources["jobs"][job]["tasks"]}
        edges = {key: [on["task_key"] for on in task.get("depends_on", ())] for key, task in tasks.items()}
        return [tasks[key] for key in TopologicalSorter(edges).static_order()]

    def run_task(self, job: str, task: Mapping[str, Any], run_id: int, given: Mapping[str, str]) -> None:
        """Run one task to its end."""
        if "run_job_task" in task:
            handed = self._known(task["run_job_task"]["job_parameters"], job, run_id, given)
            other = next(name for name, number in self.numbers.items() if str(number) == self._job_of(task))
            # Runs of one platform have numbers of their own.
            self.run_job(other, run_id + 1, handed)
            return
        started = time.monotonic()
        with self.started(job, task, run_id, given) as process:
            told, _ = process.communicate(timeout=task["timeout_seconds"])
        if process.returncode != 0:
            raise TaskFailedError(f"{job}.{task['task_key']} failed:\n{told[-6000:]}")
        self.done.append((job, task["task_key"], time.monotonic() - started))

    def kill_task(
        self,
        job: str,
        key: str,
        run_id: int,
        given: Mapping[str, str] | None = None,
        *,
        when: Callable[[], bool],
    ) -> None:
        """Start a task, and kill it with all that it started as soon as something is so.

        Raises:
            TaskFailedError: It ended before.
        """
        task = next(task for task in self.ordered(job) if task["task_key"] == key)
        with self.started(job, task, run_id, given or {}) as process:
            while not when():
                if process.poll() is not None:
                    raise TaskFailedError(
                        f"{job}.{key} ended before it was to be killed:\n{process.communicate()[0]}"
                    )
                time.sleep(0.002)
            os.killpg(process.pid, signal.SIGKILL)
            process.communicate()
        self.done.append((job, f"{key}, killed", 0.0))

    def started(self, job: str, task: Mapping[str, Any], run_id: int, given: Mapping[str, str]) -> "Started":
        """A task's process, in an empty directory that it has to leave empty."""
        wheel = task["python_wheel_task"]
        arguments = [self._known(argument, job, run_id, given) for argument in wheel["parameters"]]
        shell = ("plain", "interactive")[len(self.done) % 2]
        command = [
            str(self.python),
            "-c",
            HOST,
            shell,
            wheel["package_name"],
            wheel["entry_point"],
            *arguments,
        ]
        return Started(command, self._environment())

    def _environment(self) -> dict[str, str]:
        inherited = ("PATH", "HOME", "JAVA_HOME", "LANG", "TMPDIR")
        own = {name: os.environ[name] for name in inherited if name in os.environ}
        return {**own, "SPARK_LOCAL_IP": "127.0.0.1", "GIT_PYTHON_REFRESH": "quiet", **self.environment}

    def _job_of(self, task: Mapping[str, Any]) -> str:
        return str(self._numbered(task["run_job_task"]["job_id"]))

    def _known(self, value: Any, job: str, run_id: int, given: Mapping[str, str]) -> Any:
        """With every reference put in, and the workspace where it lies here."""
        if isinstance(value, Mapping):
            return {key: self._known(entry, job, run_id, given) for key, entry in value.items()}
        defaults = {entry["name"]: entry["default"] for entry in self.resources["jobs"][job]["parameters"]}
        references = {f"job.parameters.{name}": text for name, text in {**defaults, **given}.items()}
        references["job.run_id"] = str(run_id)
        for _ in range(2):
            # A parameter's default may itself be a reference.
            value = DYNAMIC.sub(lambda found: references[found[1]], value)
        return self._numbered(re.sub(r"^/Workspace", str(self.workspace), value))

    def _numbered(self, text: str) -> str:
        return re.sub(r"\$\{resources\.jobs\.(\w+)\.id\}", lambda found: str(self.numbers[found[1]]), text)


class Started:
    """A process group in a directory of no meaning, for the time of a ``with``."""

    def __init__(self, command: list[str], environment: Mapping[str, str]) -> None:
        self.command, self.environment = command, environment

    def __enter__(self) -> "subprocess.Popen[str]":
        self.foreign = tempfile.TemporaryDirectory(prefix="foreign-")
        self.process = subprocess.Popen(
            self.command,
            cwd=self.foreign.name,
            env=dict(self.environment),
            start_new_session=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        return self.process

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
        left = sorted(path.name for path in Path(self.foreign.name).iterdir())
        self.foreign.cleanup()
        if left and self.process.returncode == 0:
            raise TaskFailedError(f"the task left {', '.join(left)} in a directory that it knows nothing of")


def commits(catalog: Path) -> Iterator[Path]:
    """Every Delta commit of an environment."""
    return catalog.glob("*/*/_delta_log/*.json")
