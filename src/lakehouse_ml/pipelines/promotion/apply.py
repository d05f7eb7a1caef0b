"""The alias follows the ledger."""

from collections.abc import Iterator

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from lakehouse_ml.pipelines.promotion.decide import Decision
from lakehouse_ml.registry import ModelReference, Registry, RegistryError


def apply_decision(decision: Decision, ledger: DataFrame, registry: Registry) -> Iterator[ModelReference]:
    """The champion as the ledger's newest row names it; nothing while no model was ever promoted.

    The ledger is written ahead of the alias: a run that was killed in between leaves a row, and the next
    start moves the alias to it. Where alias and ledger agree, nothing is touched.

    Args:
        decision: See :func:`decide`.
        ledger: ``ops_promotion_ledger`` with this decision in it.
        registry: ``model_registry``.

    Raises:
        RegistryError: Another promotion took this decision's place in the ledger, the version's files are not
            those in the ledger, or the registry cannot be reached.
    """
    _check_recorded(decision, ledger)
    promoted = ledger.where("decision = 'promoted'").select("model_version", "model_digest")
    newest = ledger.agg(F.max_by("champion_after", "sequence").alias("version")).collect()[0]["version"]
    if newest is None:
        return
    named = registry.reference(newest)
    digests = {row["model_digest"] for row in promoted.where(F.col("model_version") == newest).collect()}
    if named.digest not in digests:
        raise RegistryError(
            f"{registry.name} version {newest} has digest {named.digest}, the ledger promoted "
            f"{sorted(digests)}: the registry was changed behind the ledger; restore the version's files."
        )
    if registry.aliased() != named:
        registry.point(newest)
    yield named


def _check_recorded(decision: Decision, ledger: DataFrame) -> None:
    if ledger.where(F.col("subject") == decision.evidence.subject).isEmpty():
        raise RegistryError(
            f"The decision on {decision.evidence.subject} is not in ops.promotion_ledger: another promotion "
            f"wrote row {decision.evidence.ledger.sequence + 1} at the same time; run "
            f"`kedro run --pipelines promotion` again."
        )
