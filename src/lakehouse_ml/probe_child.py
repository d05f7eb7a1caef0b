"""The other side of :mod:`lakehouse_ml.probe`: loads the model that the command line names, and writes what it does.

Reads ``golden.parquet`` in its folder and writes ``answer.json`` beside it.
"""

import json
import resource
import sys
import time
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import mlflow.pyfunc
import mlflow.tracing
import numpy as np
import pandas as pd
from numpy.typing import NDArray

SINGLE_ROWS = 40
# Without these of the very version, nothing can be said about loading a model tomorrow.
NEEDED = ("mlflow", "numpy", "scikit-learn", "skops")
UNSEEN = "never seen before"


def main(folder: str) -> None:
    """Try the model in the folder on the golden rows."""
    # Else MLflow, once it has loaded a model, makes a tracking store for its traces, which nobody reads.
    mlflow.tracing.disable()
    model = mlflow.pyfunc.load_model(folder)
    golden = pd.read_parquet("golden.parquet")
    recorded = golden.pop("score").to_numpy()
    rows = as_requested(golden, model.metadata.get_input_schema())
    scores = np.asarray(model.predict(rows), dtype=np.float64)
    answer = {
        "unpinned": unpinned((Path(folder) / "requirements.txt").read_text()),
        "request_mb": len(rows.to_json(orient="split")) / 1e6,
        "odd_scores": int((~((scores >= 0) & (scores <= 1))).sum()),
        "difference": difference(model, rows, scores, recorded),
        "latency_ms": latency_ms(model, rows),
        "swallowed": [name for name, request in malformed(rows).items() if answers(model, request)],
        "choked_on": [name for name, request in harmless(rows).items() if not answers(model, request)],
        # The system counts in kB.
        "memory_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3,
    }
    Path("answer.json").write_text(json.dumps(answer))


def as_requested(golden: pd.DataFrame, schema: Any) -> pd.DataFrame:
    """The rows as a request carries them: text, and numbers as float64."""
    texts = {column.name for column in schema.inputs if column.type.name == "string"}
    return pd.DataFrame(
        {
            name: golden[name].astype(object) if name in texts else golden[name].astype("float64")
            for name in schema.input_names()
        }
    )


def unpinned(requirements: str) -> list[str]:
    """Requirements without an exact version or with another one than is installed, and needed ones that are absent."""
    lines = [line.strip() for line in requirements.split("\n") if line.strip()]
    named = {line.partition("==")[0].lower().replace("_", "-") for line in lines}
    absent = [f"{name} is absent" for name in NEEDED if name not in named]
    return [line for line in lines if not _is_pinned(line)] + absent


def _is_pinned(line: str) -> bool:
    name, _, wanted = line.partition("==")
    try:
        return bool(wanted) and version(name) == wanted
    except PackageNotFoundError:
        return False


def difference(model: Any, rows: pd.DataFrame, scores: NDArray[np.float64], recorded: NDArray[Any]) -> float:
    """Largest difference of the scores to those of a second call, of another order, and as evaluated."""
    again = np.asarray(model.predict(rows))
    turned = np.asarray(model.predict(rows.iloc[::-1]))[::-1]
    gaps = np.abs([scores - again, scores - turned, scores - recorded.astype(np.float64)])
    # JSON knows no infinity; two beyond all probabilities stands for "not comparable".
    return float(np.nan_to_num(gaps, nan=2.0, posinf=2.0).max())


def latency_ms(model: Any, rows: pd.DataFrame) -> float:
    """Milliseconds for one row, 95th percentile."""
    taken = []
    for number in range(SINGLE_ROWS):
        started = time.perf_counter()
        model.predict(rows.iloc[[number % len(rows)]])
        taken.append(time.perf_counter() - started)
    return float(np.quantile(taken, 0.95) * 1e3)


def malformed(rows: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """Requests that must be refused, by name: a fault in the first and in the last column of each type."""
    few, texts = rows.head(2), [name for name in rows.columns if rows[name].dtype == object]
    numbers = [name for name in rows.columns if name not in texts]
    # A refusal takes longer than an answer, and every column would be asked for by a request of its own.
    first_last = [names[place] for names in (texts, numbers) if names for place in (0, -1)]
    asked = list(dict.fromkeys(first_last))
    without = {f"without {name}": few.drop(columns=name) for name in asked}
    wrong = {_mistyped(name, texts): few.assign(**{name: 7.0 if name in texts else "many"}) for name in asked}
    return {"no columns": few[[]], **without, **wrong}


def _mistyped(name: str, texts: list[str]) -> str:
    return f"a number in {name}" if name in texts else f"text in {name}"


def harmless(rows: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """Requests that must be answered, by name."""
    texts = [name for name in rows.columns if rows[name].dtype == object]
    unseen = {f"unseen {name}": rows.head(1).assign(**{name: UNSEEN}) for name in texts}
    unseen["a further column"] = rows.head(1).assign(**{UNSEEN: 7.0})
    missing = pd.DataFrame({name: [None if name in texts else np.nan] for name in rows.columns})
    return unseen | {"nothing but missing values": missing.astype({n: object for n in texts})}


def answers(model: Any, request: pd.DataFrame) -> bool:
    """Whether the model gives as many probabilities as there are rows."""
    try:
        scores = np.asarray(model.predict(request), dtype=np.float64)
    except Exception:
        # Whatever it raises, it refused.
        return False
    return scores.shape == (len(request),) and bool(((scores >= 0) & (scores <= 1)).all())


if __name__ == "__main__":
    main(sys.argv[1])
