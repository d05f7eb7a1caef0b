"""The alias follows the ledger."""

from collections.abc import Iterator

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from lakehouse_ml.pipelines.promotion.decide import Decision
from lakehouse_ml.pipelines.promotion.gather import ledger_state
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
    state = ledger_state(ledger)
    if state.champion is None:
        return
    named = registry.reference(state.champion)
    if named.digest != state.champion_digest:
        raise RegistryError(
            f"{registry.name} version {named.version} has digest {named.digest}, the ledger promoted "
            f"{state.champion_digest}: the registry was changed behind the ledger; restore it."
        )
    if registry.aliased() != named:
        registry.point(named.version)
    yield named


def _check_recorded(decision: Decision, ledger: DataFrame) -> None:
    if ledger.where(F.col("subject") == decision.evidence.subject).isEmpty():
        raise RegistryError(
            f"The decision on {decision.evidence.subject} is not in ops.promotion_ledger: another promotion "
            f"wrote row {decision.evidence.ledger.sequence + 1} at the same time; run "
            f"`kedro run --pipelines promotion` again."
        )
