"""The code that plays a replay: the same from its first step to its last, and on record."""

import hashlib
import json
from functools import cache
from pathlib import Path
from typing import NamedTuple

import lakehouse_ml
from lakehouse_ml.pipelines.training.provenance import code_of
from lakehouse_ml.replay.steps import ReplayError

PACKAGE = Path(lakehouse_ml.__file__).parent
RECORD = "code.json"


class Played(NamedTuple):
    """The code that a replay began with.

    Attributes:
        fingerprint: SHA-256 (hex) over the package's Python files.
        commit: Git commit of the project; ``unknown`` outside a checkout.
        is_dirty: Whether tracked files differed from it.
    """

    fingerprint: str
    commit: str
    is_dirty: bool


@cache
def fingerprint(package: Path = PACKAGE) -> str:
    """SHA-256 (hex) over a package's Python files, once per process: it goes on with what it began with."""
    total = hashlib.sha256()
    for file in sorted(package.rglob("*.py")):
        content = hashlib.sha256(file.read_bytes()).hexdigest()
        total.update(f"{file.relative_to(package).as_posix()} {content}\n".encode())
    return total.hexdigest()


def record_code(folder: Path, project_path: Path) -> None:
    """Write down the code that a replay begins with, in its folder."""
    folder.mkdir(parents=True, exist_ok=True)
    played = Played(fingerprint(), *code_of(project_path))
    (folder / RECORD).write_text(json.dumps(played._asdict(), indent=1))


def read_code(folder: Path) -> Played | None:
    """The code that the replay began with; None: it is not on record."""
    file = folder / RECORD
    return Played(**json.loads(file.read_text())) if file.is_file() else None


def refuse_other_code(folder: Path) -> None:
    """Make sure that the next step is played by the code of those before it.

    Raises:
        ReplayError: The replay began with other code, or it is not on record with which.
    """
    began = read_code(folder)
    if began is None:
        raise ReplayError(f"{folder} has no {RECORD}, the code of its steps: remove the folder to begin anew")
    if began.fingerprint != fingerprint():
        raise ReplayError(
            f"{folder} was begun with other code, commit {began.commit}{' and changes' if began.is_dirty else ''}: "
            f"check it out, or remove the folder to begin anew"
        )
