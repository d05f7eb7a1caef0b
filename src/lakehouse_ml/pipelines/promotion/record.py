"""The decision on record: the version in the registry, its card, and the ledger's next row."""

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from lakehouse_ml.lakehouse.run import Run
from lakehouse_ml.lakehouse.tables import PROMOTION_LEDGER
from lakehouse_ml.pipelines.promotion.decide import Decision
from lakehouse_ml.registry import LoggedModel, ModelReference, Registry

WALL_CLOCK = "recorded_at"
ROW = tuple(column for column in PROMOTION_LEDGER.columns if column.name != WALL_CLOCK)


def record_decision(
    decision: Decision, model_card: str, ledger: DataFrame, registry: Registry, run: Run
) -> tuple[dict[str, str], DataFrame]:
    """The model cards by version, and the new rows of the ledger: one, or none when this was decided before.

    A promoted model is registered first, without an alias: that harms nobody, and a killed run finds the
    version again. The ledger's row comes next, and the alias follows it: see :func:`apply_decision`.

    Args:
        decision: See :func:`decide`.
        model_card: Card of the elected model.
        ledger: ``before_ops_promotion_ledger``.
        registry: ``model_registry``.
        run: The deciding run.

    Raises:
        RegistryError: The registry cannot be reached, or the model's files changed since they were checked.
    """
    if not ledger.where(F.col("subject") == decision.evidence.subject).isEmpty():
        return {}, ledger.limit(0)
    registered = _register(decision, model_card, registry, run) if decision.is_promoted else None
    cards = {f"version_{registered.version}": model_card} if registered else {}
    return cards, _ledger_row(decision, registered, run, ledger)


def _register(decision: Decision, model_card: str, registry: Registry, run: Run) -> ModelReference:
    trained = decision.evidence.trained
    model = trained.models[str(decision.elected)]
    tags = {
        "role": str(decision.elected),
        "run_id": run.run_id,
        "as_of": run.as_of.isoformat(),
        "evidence_hash": decision.evidence_hash,
        "threshold": repr(model.threshold),
        "trained_until": trained.train_end.isoformat(),
    }
    logged = LoggedModel(model.uri, model.digest, trained.mlflow_run_id)
    return registry.register(logged, tags, model_card)


def _ledger_row(
    decision: Decision, registered: ModelReference | None, run: Run, ledger: DataFrame
) -> DataFrame:
    evidence = decision.evidence
    before = evidence.ledger.champion
    values = {
        "sequence": evidence.ledger.sequence + 1,
        "run_id": run.run_id,
        "as_of": run.as_of,
        "subject": evidence.subject,
        "decision": decision.outcome,
        "elected": decision.elected,
        "model_version": registered and registered.version,
        "model_digest": decision.elected and evidence.digests[decision.elected],
        "reasons": decision.reasons,
        "evidence": decision.record,
        "evidence_hash": decision.evidence_hash,
        "holdout_start": evidence.trained.holdout_start,
        "holdout_end": evidence.trained.holdout_end,
        "input_versions": evidence.trained.input_versions,
        "git_commit": evidence.trained.git_commit,
        "champion_before": before,
        "champion_after": registered.version if registered else before,
    }
    schema = ", ".join(f"`{column.name}` {column.type}" for column in ROW)
    row = ledger.sparkSession.createDataFrame([tuple(values[column.name] for column in ROW)], schema)
    return row.withColumn(WALL_CLOCK, F.current_timestamp())
