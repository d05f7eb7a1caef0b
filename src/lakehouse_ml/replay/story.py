"""What a policy left on record: its predictions beside the truth, its alerts, trainings and decisions."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import pandas as pd
from kedro.framework.context import KedroContext
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from lakehouse_ml.lakehouse.labelled import latest_labels
from lakehouse_ml.ledger import DECIDED, Entry
from lakehouse_ml.replay.steps import Step
from lakehouse_ml.replay.world import World
from lakehouse_ml.use_case import UseCase


@dataclass(frozen=True)
class Training:
    """A training that the gate decided on.

    Attributes:
        as_of: The step's now, UTC.
        decision: ``promoted``, ``refused`` or ``awaiting_approval``.
        version: Version in the registry; None: refused.
        reason: The rules that failed, each with its value; empty when promoted.
    """

    as_of: datetime
    decision: str
    version: str | None
    reason: str


@dataclass(frozen=True)
class Story:
    """One policy's replay.

    Attributes:
        policy: Name of the policy.
        steps: Its steps, oldest first.
        scored: One row per prediction of a champion whose truth is known: key, predict_date, score, decision, label.
        alerts: Rows of ``ops.alerts`` up to the last step, times in UTC without zone.
        trainings: Decisions of the gate up to the last step, oldest first.
        held_back: Nows up to the last step at which the controller held a training back, with what did.
    """

    policy: str
    steps: Sequence[Step]
    scored: pd.DataFrame
    alerts: pd.DataFrame
    trainings: Sequence[Training]
    held_back: Mapping[datetime, tuple[str, ...]]


def read_story(world: World, policy: str, nows: Sequence[datetime], use_case: UseCase) -> Story | None:
    """What the policy left; None: it was not played to the end."""
    steps = [step for step in world.done(policy).all() if step.as_of in nows]
    if [step.as_of for step in steps] != list(nows):
        return None
    with world.opened(policy) as (_, context):
        return _read(context, policy, steps, use_case)


def _read(context: KedroContext, policy: str, steps: Sequence[Step], use_case: UseCase) -> Story:
    catalog, end = context.catalog, steps[-1].as_of
    # As before a run, when a table may not be there: a policy without a champion scores and watches nothing.
    decided = catalog.load("before_ops_retrain_decisions").where("outcome = 'held_back'")
    held = until(decided, end).select(F.unix_seconds("as_of").alias("at"), "held_back_by").toPandas()
    alerts = until(catalog.load("before_ops_alerts"), end).orderBy("as_of", "sequence")
    entries = catalog.load("promotion_ledger").state().entries
    return Story(
        policy,
        steps,
        _scored(
            catalog.load("before_ml_predictions"), catalog.load("gold_labels"), steps, use_case.labels.column
        ),
        alerts.toPandas(),
        trainings_until(entries, end),
        {
            pd.Timestamp(at, unit="s", tz="UTC").to_pydatetime(): tuple(by)
            for at, by in held.itertuples(index=False)
        },
    )


def until(rows: DataFrame, end: datetime) -> DataFrame:
    """The rows of runs up to the end: a replay may have been played further than it is looked at."""
    return rows.where(F.col("as_of") <= F.lit(end))


def trainings_until(entries: Iterable[Entry], end: datetime) -> list[Training]:
    """The gate's decisions of runs up to the end, in the order of the ledger."""
    return [_training(entry) for entry in entries if entry.event == DECIDED and entry.as_of <= end]


def _scored(predictions: DataFrame, labels: DataFrame, steps: Sequence[Step], label: str) -> pd.DataFrame:
    first, end = steps[0].as_of, steps[-1].as_of
    champions = until(predictions, end).where("role = 'champion'").where(F.col("predict_at") > F.lit(first))
    truth = latest_labels(labels, end).where(F.col(label).isNotNull())
    return (
        champions.where(F.col("predict_at") <= F.lit(end))
        .join(truth.select("key", F.col(label).alias("label")), "key")
        .select("key", "predict_date", "score", "decision", "label")
        .orderBy("predict_date", "key")
        .toPandas()
    )


def _training(entry: Entry) -> Training:
    failed = [reason for reason in entry.reasons if "FAILED" in reason and not reason.startswith("elected")]
    return Training(entry.as_of, entry.decision, entry.model_version, "; ".join(map(rule_and_value, failed)))


def rule_and_value(reason: str) -> str:
    """A verdict's reason without its interval and limit, which the ledger tells."""
    return reason.removeprefix("FAILED ").partition(" [")[0].partition(" (must")[0]
