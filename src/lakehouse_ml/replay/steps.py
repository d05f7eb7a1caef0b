"""The steps of a replay, and the record of those that are done: a file each, there in whole or not at all."""

import json
import os
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from lakehouse_ml.lakehouse.run import Run

# Steps are told apart by their minute, in records and names of runs.
MINUTE = timedelta(minutes=1)


class ReplayError(ValueError):
    """The replay cannot be played as asked; the message names the value and the way out."""


@dataclass(frozen=True)
class Step:
    """A step that was played.

    Attributes:
        run_id: The run of the data part.
        as_of: Its now, UTC.
        input_versions: Delta version of every table of the data part, by ``<schema>.<table>``.
        seconds: What the step took, wall clock.
    """

    run_id: str
    as_of: datetime
    input_versions: dict[str, int]
    seconds: float

    @property
    def run(self) -> Run:
        """The run as policies know it."""
        sources = ("bronze.", "silver.")
        versions = {name: at for name, at in self.input_versions.items() if name.startswith(sources)}
        return Run(self.run_id, self.as_of, versions)


def moments(start: datetime, end: datetime, step: timedelta) -> list[datetime]:
    """The nows of a replay, UTC: the start, and one after each step up to the end.

    A shorter last step would be in the way of those who play on, so that none is played.

    Raises:
        ReplayError: The end does not lie a step after the start, or start or step is no time of whole minutes.
    """
    if step <= timedelta(0):
        raise ReplayError(f"--step must be longer than nothing, is {step}")
    if step % MINUTE or start.second or start.microsecond:
        raise ReplayError(
            f"--from and --step must be whole minutes: from={start:%Y-%m-%dT%H:%M:%S}, step={step}"
        )
    count = (end - start) // step
    if count < 1:
        raise ReplayError(
            f"--to must lie a --step after --from: from={start:%Y-%m-%dT%H:%M}, to={end:%Y-%m-%dT%H:%M}, step={step}"
        )
    return [start + number * step for number in range(count + 1)]


class StepRecords:
    """The steps that are done, of the data part or of a policy.

    Args:
        folder: One JSON file for each.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def find(self, as_of: datetime) -> Step | None:
        """The step; None: it is not done."""
        file = self._file(as_of)
        return read_step(file) if file.is_file() else None

    def add(self, step: Step) -> None:
        """Remember a step as done."""
        write_step(self._file(step.as_of), step)

    def all(self) -> list[Step]:
        """The steps that are done, oldest first."""
        return [read_step(file) for file in sorted(self.folder.glob("*.json"))]

    def _file(self, as_of: datetime) -> Path:
        return self.folder / f"{as_of:%Y-%m-%dT%H%M}.json"


def read_step(file: Path) -> Step:
    """A step from its file."""
    read: dict[str, Any] = json.loads(file.read_text())
    return Step(**{**read, "as_of": datetime.fromisoformat(read["as_of"])})


def write_step(file: Path, step: Step) -> None:
    """A step to its file."""
    file.parent.mkdir(parents=True, exist_ok=True)
    half = file.with_suffix(".half")
    half.write_text(json.dumps({**asdict(step), "as_of": step.as_of.isoformat()}, indent=1, sort_keys=True))
    os.replace(half, file)
