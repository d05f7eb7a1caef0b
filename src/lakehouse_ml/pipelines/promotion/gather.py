"""The evidence for a decision, collected from tables, registry and model files."""

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pandas as pd
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from lakehouse_ml.lakehouse.run import Run
from lakehouse_ml.ledger import LedgerState
from lakehouse_ml.model_files import candidate_folder, model_digest
from lakehouse_ml.pipelines.promotion.evidence import (
    Candidate,
    Evidence,
    Incumbent,
    Measurement,
    Recorded,
    Standing,
    Trained,
    Tried,
)
from lakehouse_ml.pipelines.promotion.rule_set import PromotionRules
from lakehouse_ml.probe import Probe, probe
from lakehouse_ml.registry import Champion, Registry
from lakehouse_ml.use_case import UseCase

MEASURED = tuple(Measurement.__dataclass_fields__)
GoldenRows = Mapping[str, Callable[[], pd.DataFrame]]


def gather_evidence(
    evaluations: DataFrame,
    champion: Champion | None,
    tried: Tried,
    recorded: Recorded,
    before: LedgerState,
    run: Run,
) -> Evidence:
    """All that the decision rests on.

    Args:
        evaluations: ``ml_evaluations``; the rows of the candidates' run count.
        champion: ``before_ml_champion``; None before the first promotion.
        tried: See :func:`try_candidates`.
        recorded: See ``record_tables``.
        before: The ledger before the decision.
        run: The deciding run.
    """
    return Evidence(
        as_of=run.as_of,
        trained=tried.trained,
        faults=tried.faults,
        incumbent=_incumbent(champion),
        measurements=_measurements(evaluations.where(F.col("run_id") == tried.trained.run_id)),
        standing=standing_of(before, tried.trained),
        declared=recorded.declared,
        probes=tried.probes,
        data=recorded.data,
        features=tried.features,
    )


def features_of(use_case: UseCase) -> tuple[tuple[str, str], ...]:
    """Name and type, as a signature has it, of each feature of the contracts in order."""
    columns = [column for family in use_case.families for column in family.contract.columns]
    return tuple(
        (column.name, "string" if column.type == "string" else "double")
        for column in columns
        if column.name != "key"
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
    except Exception as error:
        # Whatever a model's files do when they are read, the answer is a refusal with this on record.
        return repr(error)
    return "" if digest == model.digest else f"files have digest {digest}, evaluated was {model.digest}"


def standing_of(ledger: LedgerState, trained: Trained) -> Standing:
    """What the ledger says about the champion and these candidates."""
    taken_back = {
        model.digest: entry.as_of
        for model in trained.models.values()
        if (entry := ledger.taken_back(model.digest)) is not None
    }
    return Standing(
        sequence=ledger.sequence,
        champion=ledger.champion,
        champion_digest=ledger.champion_digest,
        judged_until=ledger.judged_until,
        taken_back=taken_back,
    )


def try_candidates(
    candidates: dict[str, Any],
    golden_rows: GoldenRows,
    registry: Registry,
    rules: PromotionRules,
    *,
    use_case: UseCase,
) -> Tried:
    """Each candidate, its files compared with what was evaluated, and tried in a process of its own.

    Args:
        candidates: ``ml_candidates``: what training handed over.
        golden_rows: Feature rows with the evaluated score, by digest.
        registry: ``model_registry``; its tracking store holds the files.
        rules: ``params:promotion.rules``: how large a model may be to be loaded at all.
        use_case: Names the features.

    Raises:
        pydantic.ValidationError: Training's hand-over lacks a field.
    """
    trained = Trained.model_validate(candidates)

    def try_one(model: Candidate) -> Probe:
        try:
            golden = golden_rows[model.digest]()
            folder = candidate_folder(model.uri, registry.tracking_uri)
        except Exception as error:
            # A model that cannot be tried is refused with this on record.
            return Probe(fault=f"it cannot be tried: {error!r}")
        return probe(folder, golden, rules.artefact.size_mb_max)

    with ThreadPoolExecutor() as pool:
        probes = dict(zip(trained.models, pool.map(try_one, trained.models.values()), strict=True))
    return Tried(trained, _faults(trained, registry), probes, features_of(use_case))
