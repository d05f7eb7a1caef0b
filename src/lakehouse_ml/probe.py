"""A model tried out in a process of its own, as a server would load it: nothing of this process helps or hurts it."""

import json
import math
import os
import subprocess
import sys
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pandas as pd
from mlflow.models import Model

from lakehouse_ml.model_files import FACTS, unsafe

PATIENCE_SECONDS = 120
SCORE = "score"
# The child reads and writes these in a folder that holds nothing else.
_GOLDEN, _ANSWER = "golden.parquet", "answer.json"


@dataclass(frozen=True)
class Probe:
    """What came of it.

    Attributes:
        fault: Why the model could not be tried; empty: it could.
        inputs: Name and type of each column that it asks for, in order.
        facts: What its metadata says about its training, as text: names of ``FACTS`` and values, by name.
        unpinned: Requirements without a version, or with another one than is installed; needed ones that are absent.
        size_mb: Size of its files.
        memory_mb: Most memory that the process held.
        request_mb: The golden rows as one JSON request.
        latency_ms: Time for one row, 95th percentile.
        odd_scores: Golden rows whose score is no number in 0..1.
        difference: Largest difference between two answers to the same row: again, in another order, and as evaluated.
        swallowed: Malformed requests that it answered.
        choked_on: Harmless requests that it did not answer.
    """

    fault: str = ""
    inputs: tuple[tuple[str, str], ...] = ()
    facts: tuple[tuple[str, str], ...] = ()
    unpinned: tuple[str, ...] = ()
    size_mb: float = 0.0
    memory_mb: float = 0.0
    request_mb: float = 0.0
    latency_ms: float = 0.0
    odd_scores: int = 0
    difference: float = 0.0
    swallowed: tuple[str, ...] = ()
    choked_on: tuple[str, ...] = ()


def probe(
    folder: Path, golden: pd.DataFrame, size_mb_max: float = math.inf, patience: float = PATIENCE_SECONDS
) -> Probe:
    """Try a model out.

    Args:
        folder: Its files.
        golden: Feature rows with ``score``, the answer that was evaluated.
        size_mb_max: A larger one is not even loaded.
        patience: Seconds after which no answer is an answer.

    Returns:
        Always: whatever the model does is a fault on record.
    """
    try:
        fault = unsafe(folder)
        size = sum(file.stat().st_size for file in folder.rglob("*") if file.is_file()) / 1e6
        described = _described(folder)
    except Exception as error:
        # Files that cannot be read are the finding, not a failure of the trial.
        return Probe(fault=f"its description cannot be read: {error!r}")
    if not fault and size > size_mb_max:
        fault = f"its files are {size:.0f} MB, at most {size_mb_max:g} may be loaded"
    found = {"fault": fault} if fault else _ask_child(folder, golden, patience)
    return Probe(**{**asdict(described), "size_mb": size, **found})


def _described(folder: Path) -> Probe:
    described = Model.load(str(folder))
    if described.signature is None:
        raise ValueError("it has no signature")
    columns, said = described.signature.inputs.inputs, described.metadata or {}
    return Probe(
        inputs=tuple((column.name, str(column.type.name)) for column in columns),
        facts=tuple((name, str(FACTS[name](said[name]))) for name in sorted(FACTS) if name in said),
    )


def _ask_child(folder: Path, golden: pd.DataFrame, patience: float) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as place:
        golden.to_parquet(Path(place) / _GOLDEN)
        # Isolated: neither this folder, nor PYTHONPATH, nor the user's packages are seen.
        command = (
            sys.executable,
            "-I",
            "-W",
            "ignore",
            "-m",
            "lakehouse_ml.probe_child",
            str(folder.absolute()),
        )
        # One thread, as for one request among many.
        threads = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
        clean = {"PATH": os.environ.get("PATH", ""), "HOME": place, "TMPDIR": place, **threads}
        try:
            done = subprocess.run(
                command, cwd=place, env=clean, capture_output=True, text=True, timeout=patience, check=False
            )
        except subprocess.TimeoutExpired:
            return {"fault": f"no answer within {patience:g} s"}
        answer = Path(place) / _ANSWER
        if done.returncode or not answer.exists():
            return {"fault": f"its process ended with {done.returncode}: {_last_line(done.stderr)}"}
        return {name: _frozen(value) for name, value in json.loads(answer.read_text()).items()}


def _last_line(text: str) -> str:
    return text.strip().rsplit("\n", 1)[-1][:300]


def _frozen(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value
