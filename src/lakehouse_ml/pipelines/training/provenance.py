"""Where a model comes from: code, packages and the shape of its features."""

import hashlib
import json
import subprocess
from importlib.metadata import distributions
from pathlib import Path
from typing import NamedTuple

from lakehouse_ml.use_case import UseCase

UNKNOWN = "unknown"
DIRTY = "-dirty"
# In a wheel: `kedro package` writes the commit's name here.
STAMP = Path(__file__).parents[2] / "commit.txt"


class Code(NamedTuple):
    """The code that runs.

    Attributes:
        commit: Git commit; ``unknown`` where there is neither a checkout nor a stamp.
        is_dirty: Whether tracked files differ from it.
    """

    commit: str
    is_dirty: bool

    @property
    def name(self) -> str:
        """The commit, with ``-dirty`` where files differ from it."""
        return self.commit + DIRTY * self.is_dirty


def code_of(folder: Path, stamp: Path = STAMP) -> Code:
    """The commit that a folder is checked out at, or that its wheel was built from."""
    # A wheel may be installed within somebody's checkout, which does not track it.
    if not _git(folder, "ls-files", "."):
        return _stamped(stamp)
    commit = _git(folder, "rev-parse", "HEAD") or UNKNOWN
    return Code(commit, is_dirty=bool(_git(folder, "status", "--porcelain", "--untracked-files=no")))


def _stamped(stamp: Path) -> Code:
    name = stamp.read_text().strip() if stamp.is_file() else UNKNOWN
    return Code(name.removesuffix(DIRTY), is_dirty=name.endswith(DIRTY))


def _git(folder: Path, *arguments: str) -> str | None:
    try:
        done = subprocess.run(("git", *arguments), cwd=folder, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        # A wheel has no checkout, and its machine perhaps no git: its stamp tells, or "unknown" is on record.
        return None
    return done.stdout.strip()


def installed_packages() -> list[str]:
    """What is installed, as ``name==version``, in order: the pins that really run."""
    found = {f"{d.metadata['Name'].lower().replace('_', '-')}=={d.version}" for d in distributions()}
    return sorted(found)


def hash_of(content: object) -> str:
    """SHA-256 (hex) over a value's JSON."""
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def feature_fingerprint(use_case: UseCase) -> str:
    """SHA-256 over names and types of the features, in order: what a model and its rows must share."""
    columns = [column for family in use_case.families for column in family.contract.columns]
    return hash_of([(column.name, column.type) for column in columns if column.name != "key"])
