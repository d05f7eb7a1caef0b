"""The evidence for a decision, collected from tables, registry and model files."""

from typing import Any

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from lakehouse_ml.lakehouse.run import Run
from lakehouse_ml.pipelines.promotion.evidence import (
    Candidate,
    Evidence,
    Incumbent,
    LedgerState,
    Measurement,
    Trained,
)
from lakehouse_ml.registry import Champion, Registry, candidate_folder, load_candidate, model_digest

MEASURED = tuple(Measurement.__dataclass_fields__)


def gather_evidence(
    evaluations: DataFrame,
    candidates: dict[str, Any],
    champion: Champion | None,
    ledger: DataFrame,
    registry: Registry,
    run: Run,
) -> Evidence:
    """All that the decision rests on.

    Args:
        evaluations: ``ml_evaluations``; the rows of the candidates' run count.
        candidates: ``ml_candidates``: what training handed over.
        champion: ``before_ml_champion``; None before the first promotion.
        ledger: ``before_ops_promotion_ledger``.
        registry: ``model_registry``; its tracking store holds the candidates' files.
        run: The deciding run.

    Raises:
        pydantic.ValidationError: Training's hand-over lacks a field.
    """
    trained = Trained.model_validate(candidates)
    return Evidence(
        as_of=run.as_of,
        trained=trained,
        faults=_faults(trained, registry),
        incumbent=_incumbent(champion),
        measurements=_measurements(evaluations.where(F.col("run_id") == trained.run_id)),
        ledger=ledger_state(ledger),
    )


def _incumbent(champion: Champion | None) -> Incumbent | None:
    if champion is None:
        return None
    return Incumbent(champion.version, champion.digest, champion.trained_until)


def _measurements(evaluations: DataFrame) -> tuple[Measurement, ...]:
    return tuple(Measurement(**row.asDict()) for row in evaluations.select(*MEASURED).collect())


def _faults(trained: Trained, registry: Registry) -> dict[str, str]:
    found = {role: _fault(model, registry) for role, model in trained.models.items()}
    return {role: fault for role, fault in found.items() if fault}


def _fault(model: Candidate, registry: Registry) -> str:
    try:
        digest = model_digest(candidate_folder(model.uri, registry.tracking_uri))
        load_candidate(model.uri, registry.tracking_uri)
    except Exception as error:
        # Whatever a model's files do when they are read, the answer is a refusal with this on record.
        return repr(error)
    return "" if digest == model.digest else f"files have digest {digest}, evaluated was {model.digest}"


def ledger_state(ledger: DataFrame) -> LedgerState:
    """Where the rows of ``ops.promotion_ledger`` leave the champion."""
    read = ("decision", "model_version", "model_digest", "champion_after", "holdout_end", "sequence")
    rows = ledger.orderBy("sequence").select(*read).collect()
    if not rows:
        return LedgerState(0, None, None, None)
    promoted = [row for row in rows if row["decision"] == "promoted"]
    digests = {row["model_version"]: row["model_digest"] for row in promoted}
    champion = rows[-1]["champion_after"]
    return LedgerState(
        sequence=rows[-1]["sequence"],
        champion=champion,
        champion_digest=digests.get(champion),
        judged_until=max((row["holdout_end"] for row in promoted), default=None),
    )
