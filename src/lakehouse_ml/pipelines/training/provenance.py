"""Where a model comes from: code, packages and the shape of its features."""

import hashlib
import json
import subprocess
from importlib.metadata import distributions
from pathlib import Path
from typing import NamedTuple

from lakehouse_ml.use_case import UseCase

UNKNOWN = "unknown"


class Code(NamedTuple):
    """The code that runs.

    Attributes:
        commit: Git commit; ``unknown`` outside a checkout, where the package's version counts.
        is_dirty: Whether tracked files differ from it.
    """

    commit: str
    is_dirty: bool


def code_of(folder: Path) -> Code:
    """The commit that a folder is checked out at."""
    commit = _git(folder, "rev-parse", "HEAD")
    if commit is None:
        return Code(UNKNOWN, is_dirty=False)
    return Code(commit, is_dirty=bool(_git(folder, "status", "--porcelain", "--untracked-files=no")))


def _git(folder: Path, *arguments: str) -> str | None:
    try:
        done = subprocess.run(("git", *arguments), cwd=folder, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        # A wheel has no checkout, and its machine perhaps no git: the answer is then "unknown", on record.
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
