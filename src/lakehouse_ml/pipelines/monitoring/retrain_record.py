"""A retrain decision on record, and the training that it asks for."""

from collections.abc import Mapping, Sequence
from typing import Any

from pyspark.sql import DataFrame

from lakehouse_ml.lakehouse.run import Run
from lakehouse_ml.lakehouse.tables import RETRAIN_DECISIONS
from lakehouse_ml.pipelines.monitoring.frames import to_frame
from lakehouse_ml.pipelines.monitoring.retrain import RetrainDecision, codes
from lakehouse_ml.pipelines.monitoring.situation import Decided, Past


def record_retrain(decision: RetrainDecision, past: Past, before: DataFrame, run: Run) -> DataFrame:
    """The decision as a row of ``ops.retrain_decisions``; none when it is the one that stands there last.

    Args:
        decision: See :func:`decide_retrain`.
        past: Former decisions.
        before: ``ops.retrain_decisions`` before this run.
        run: The run.
    """
    row = new_row(decision, past.decisions, run)
    return to_frame(before, [] if row is None else [row], RETRAIN_DECISIONS)


def request_training(
    decision: RetrainDecision, recorded: DataFrame, told: Mapping[str, list[str]], run: Run
) -> dict[str, dict[str, str]]:
    """The training that is asked for, for whatever starts it; none when none is asked for.

    Args:
        decision: See :func:`decide_retrain`.
        recorded: ``ops_retrain_decisions`` with this decision: what starts a training is on record before.
        told: ``alert_messages`` of this run: where no training can be started, its alerts are told all the same.
        run: The run that it is asked for in.

    Returns:
        By request key, what the training is started with: ``run_id`` and ``as_of`` (ISO 8601, UTC) of the run, so that
        all of its tasks see the same one.
    """
    if decision.outcome != "requested" or decision.request_key is None:
        return {}
    return {decision.request_key: {"run_id": run.run_id, "as_of": run.as_of.isoformat()}}


def new_row(decision: RetrainDecision, former: Sequence[Decided], run: Run) -> dict[str, Any] | None:
    """The decision's columns; None when it says what the newest of the former ones says."""
    content = {
        "outcome": decision.outcome,
        "request_key": decision.request_key,
        "model_version": decision.model_version,
        "reasons": codes(decision.reasons),
        "held_back_by": decision.held_back_by,
    }
    if former and content == {name: getattr(former[-1], name) for name in content}:
        return None
    return {
        **content,
        "sequence": former[-1].sequence + 1 if former else 1,
        "explanation": decision.explanation,
        "trained": decision.trained,
        "run_id": run.run_id,
        "as_of": run.as_of,
    }
