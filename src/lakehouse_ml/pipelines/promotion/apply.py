"""The decision carried out: the one place of the loop that touches registry, ledger, alias and serving endpoint."""

import logging
from collections.abc import Iterator

from lakehouse_ml.champion import current_champion, record, settle
from lakehouse_ml.lakehouse.run import Run
from lakehouse_ml.ledger import DECIDED, Entry, Ledger, LedgerState
from lakehouse_ml.pipelines.promotion.decide import Decision
from lakehouse_ml.registry import LoggedModel, ModelReference, Registry
from lakehouse_ml.serving_endpoint import Endpoint

_log = logging.getLogger(__name__)


def read_ledger(ledger: Ledger, registry: Registry) -> LedgerState:
    """The ledger before the decision, a move that a killed promotion left half-way done or given up.

    Raises:
        LedgerError: The chain is broken.
        RegistryError: The registry cannot be reached.
    """
    return settle(ledger, registry)


def register(
    decision: Decision, model_card: str, before: LedgerState, registry: Registry, run: Run
) -> tuple[dict[str, str], Entry]:
    """The model cards by version, and the decision as a row for the ledger, with the version of the elected model.

    A version without an alias harms nobody, and a killed run finds it again.

    Args:
        decision: See :func:`decide`.
        model_card: Card of the elected model.
        before: The ledger before the decision: what was decided before is not registered anew.
        registry: ``model_registry``.
        run: The deciding run.

    Raises:
        RegistryError: The registry cannot be reached, or the model's files changed since they were checked.
    """
    if not decision.is_passed or before.decided(decision.evidence.subject) is not None:
        return {}, ledger_entry(decision, None, run)
    trained = decision.evidence.trained
    model = trained.models[str(decision.elected)]
    tags = {
        "role": str(decision.elected),
        "run_id": run.run_id,
        "as_of": run.as_of.isoformat(),
        "evidence_hash": decision.evidence_hash,
        "threshold": repr(model.threshold),
        "trained_until": trained.train_end.isoformat(),
        **({"copied_from": trained.copied_from} if trained.copied_from else {}),
    }
    logged = LoggedModel(model.uri, model.digest, trained.mlflow_run_id)
    registered = registry.register(logged, tags, model_card)
    return {f"version_{registered.version}": model_card}, ledger_entry(decision, registered, run)


def apply_decision(
    entry: Entry, before: LedgerState, ledger: Ledger, registry: Registry, endpoint: Endpoint
) -> Iterator[ModelReference]:
    """The champion as ledger and alias name it; nothing while no model was ever promoted.

    What was decided before is not decided again, and the log says so.

    Args:
        entry: The decision, see :func:`register`.
        before: The ledger that the decision knew.
        ledger: ``promotion_ledger``.
        registry: ``model_registry``.
        endpoint: ``serving_endpoint``, which comes to serve the champion, also where nothing was decided anew.

    Raises:
        EndpointError: The endpoint is behind; ledger and alias are as they should be, and the champion is handed over.
        LedgerConflictError: Another promotion was quicker.
        RegistryError: The version's files are not those that were judged, alias and ledger differ, or the registry
            cannot be reached.
    """
    decided = before.decided(entry.subject)
    if decided is None:
        record(entry, before.head, ledger, registry)
    else:
        _log.warning(
            "decided in row %d of ops.promotion_ledger (%s): the same evaluation is not decided on again; "
            "evaluate anew (kedro run --pipelines retrain)",
            decided.sequence,
            decided.decision.replace("_", " "),
        )
    champion = current_champion(ledger, registry)
    if champion is not None:
        yield champion
        # Last: scoring in batches has its champion, whatever becomes of the endpoint.
        endpoint.serve(champion)


def ledger_entry(decision: Decision, registered: ModelReference | None, run: Run) -> Entry:
    """The decision as a row of the ledger."""
    evidence, elected = decision.evidence, decision.elected
    before = evidence.standing.champion
    moves = registered is not None and decision.outcome == "promoted"
    return Entry(
        event=DECIDED,
        decision=decision.outcome,
        actor=f"job {run.run_id}",
        run_id=run.run_id,
        as_of=run.as_of,
        subject=evidence.subject,
        reasons=tuple(decision.reasons),
        evidence=decision.record,
        evidence_hash=decision.evidence_hash,
        git_commit=evidence.trained.git_commit,
        elected=elected,
        model_version=registered.version if registered else None,
        model_digest=evidence.digests[elected] if elected else None,
        holdout_start=evidence.trained.holdout_start,
        holdout_end=evidence.trained.holdout_end,
        input_versions=tuple(sorted(evidence.trained.input_versions.items())),
        champion_before=before,
        champion_after=registered.version if registered and moves else before,
    )
