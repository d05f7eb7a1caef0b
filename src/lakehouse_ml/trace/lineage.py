"""The chain behind a version and behind a prediction, back to landing files and lines."""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from lakehouse_ml.ledger import DECIDED, Entry, LedgerState
from lakehouse_ml.trace.entity import LandedLine, StoredPrediction, TraceError
from lakehouse_ml.use_case import UseCase

# Text, and below it what it rests on.
Chain = dict[str, Any]


def decision_on(version: str, state: LedgerState) -> Entry:
    """The row that decided on the version, with its evidence.

    Raises:
        TraceError: The ledger does not know the version.
    """
    found = [
        entry
        for entry in state.entries
        if entry.event == DECIDED and entry.model_version == version and entry.decision != "rolled_back"
    ]
    if not found:
        known = sorted({e.model_version for e in state.entries if e.model_version is not None})
        raise TraceError(
            f"Version {version} is in no row of ops.promotion_ledger; known are {', '.join(known) or 'none'}"
        )
    return found[-1]


def trained_for(decision: Entry) -> dict[str, Any]:
    """What training handed over for the decision: data window, versions, code, models."""
    return dict(json.loads(str(decision.evidence))["evidence"]["trained"])


def refuse_copy(version: str, trained: Mapping[str, Any]) -> None:
    """Make sure that a version was trained in this environment, whose silver alone can tell what it was trained on.

    Raises:
        TraceError: It was copied from another one.
    """
    if trained.get("copied_from") is not None:
        raise TraceError(
            f"Version {version} was copied from {trained['copied_from']}: the silver that it was trained on is there; "
            f"rebuild that version with --env of that environment"
        )


def version_chain(version: str, state: LedgerState, log: DataFrame) -> Chain:
    """Version, its rows in the ledger, its training, the tables that it read, and the files behind them.

    Args:
        version: Version in the registry.
        state: The ledger.
        log: ``ops_ingestion_log``.

    Raises:
        TraceError: The ledger does not know the version.
    """
    decision = decision_on(version, state)
    trained = trained_for(decision)
    model = trained["models"][str(decision.elected)]
    rows: Chain = {_told(entry): {} for entry in state.entries if entry.model_version == version}
    files = files_until(log, datetime.fromisoformat(trained["as_of"]))
    return {
        f"version {version}, {decision.elected}, digest {decision.model_digest}": {
            "ledger": rows,
            f"MLflow run {trained['mlflow_run_id']}": {
                f"code {trained['git_commit']}, pins {trained['pins_hash'][:12]}, seed {trained['seed']}": {},
                f"parameters {model['params']}, rounds {model['rounds']}, threshold {model['threshold']:.4f}": {},
            },
            **_data_of(trained, files),
        }
    }


def _data_of(trained: Mapping[str, Any], files: Sequence[str]) -> Chain:
    """What the models were trained and judged on: of a copy, the one is another environment's, the other here."""
    learned = f"trained on {trained['train_start']} to {trained['train_end']}"
    judged = f"judged on {trained['holdout_start']} to {trained['holdout_end']}"
    made = _tables(trained["source_versions"])
    landed: Chain = {"landed as": {text: {} for text in files}}
    read = _tables(trained["input_versions"])
    if trained.get("copied_from") is None:
        return {f"{learned}, {judged}": {**read, "made from": {**made, **landed}}}
    return {
        f"copied from {trained['copied_from']}": {f"{learned}, there": {**read, "made from": made}},
        f"{judged}, here": {**_tables(trained.get("judged_versions") or {}), **landed},
    }


def _tables(versions: Mapping[str, int]) -> Chain:
    return {f"{table} at version {at}": {} for table, at in sorted(versions.items())}


def _told(entry: Entry) -> str:
    return (
        f"{entry.sequence} {entry.event} {entry.decision} by {entry.actor} as of {entry.as_of:%Y-%m-%d %H:%M}"
    )


def files_until(log: DataFrame, now: datetime) -> list[str]:
    """The landed files of every source whose period had ended by then, in words."""
    rows = (
        log.where((F.col("period_end") <= F.lit(now)) & (F.col("sequence") == 1))
        .groupBy("source")
        .agg(F.count("*").alias("files"), F.sum("lines").alias("lines"), F.min("file"), F.max("file"))
        .orderBy("source")
        .collect()
    )
    return [f"{row[1]:,} files, {row[2]:,} lines: {row[3]} ... {row[4]}" for row in rows]


def prediction_chain(
    prediction: StoredPrediction,
    lines: Sequence[LandedLine],
    use_case: UseCase,
    files: Mapping[str, Sequence[str]],
    version: Chain,
) -> Chain:
    """The prediction, its features' version, the entity's own lines, the files in reach of each family, the model.

    Args:
        prediction: See ``predictions_of``.
        lines: See ``lines_about``.
        use_case: Its families.
        files: Landing files in reach, by family; see :func:`files_in_reach`.
        version: See :func:`version_chain`.
    """
    known = [line for line in lines if line.was_there and line.published_at <= prediction.predict_at]
    inputs: Chain = {
        f"{family.name}: {len(files[family.name])} files of {', '.join((*family.inputs, *family.references))}, "
        f"{_ends(files[family.name])}": {}
        for family in use_case.families
    }
    return {
        f"{prediction.key}: score {prediction.score:.6f}, {prediction.role}, predicted by run {prediction.run_id}": {
            f"gold.features at version {prediction.features_version}": {
                "its own lines, known by then": {f"{line.file}:{line.line_no}": {} for line in known},
                "files in reach of each family": inputs,
            },
            **version,
        }
    }


def _ends(files: Sequence[str]) -> str:
    return f"{files[0]} ... {files[-1]}" if files else "none"


def files_in_reach(
    use_case: UseCase, log: DataFrame, at: datetime, seen: Mapping[str, DataFrame]
) -> dict[str, list[str]]:
    """Landing files that can hold what each family knew at an instant, by family.

    Args:
        use_case: Its families with their lookbacks.
        log: ``ops_ingestion_log``.
        at: The instant, UTC.
        seen: Silver tables by name, as the run saw them: files that none of their rows is from came later.
    """
    there = {row["_file"] for table in seen.values() for row in table.select("_file").distinct().collect()}
    found = {}
    for family in use_case.families:
        is_input = F.col("source").isin(*family.inputs) & (F.col("period_end") > F.lit(at - family.lookback))
        is_read = is_input | F.col("source").isin(*family.references)
        within = log.where(is_read & (F.col("period_start") <= F.lit(at)) & (F.col("lines") > 0))
        files = [row["file"] for row in within.select("file").distinct().orderBy("file").collect()]
        found[family.name] = [file for file in files if file in there]
    return found
