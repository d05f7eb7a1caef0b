"""A person's last word on who is champion: an approval, and the way back."""

import json
import logging
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace

from lakehouse_ml.champion import Champions, record, settle_and_tell
from lakehouse_ml.lakehouse.run import Run
from lakehouse_ml.ledger import APPROVED, DECIDED, Entry, LedgerError, LedgerState, hash_of
from lakehouse_ml.probe import Probe, probe
from lakehouse_ml.registry import ModelReference

# Two scores of one row by one model.
SAME = 1e-9

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Ask:
    """What a person asks for.

    Attributes:
        by: Who asks.
        reason: Why.
        run: The newest run: its now is the environment's.
    """

    by: str
    reason: str
    run: Run


def approve_version(version: str, ask: Ask, champions: Champions, judge: Callable[[Entry], str]) -> Entry:
    """Approve of exactly the evidence that the version was judged by, and make it champion.

    An approval that a killed command left half-way is finished, and is the answer: it is not given twice.

    Args:
        version: Version that awaits its approval.
        ask: Who approves, and why.
        champions: Ledger and registry.
        judge: ``(decision) -> words``: how the version did since; raises where that forbids it.

    Raises:
        LedgerError: Nothing awaits an approval, what it rests on has changed, or the judge forbids it.
        RegistryError: The version is not what was judged.
    """
    ledger, registry = champions.ledger, champions.registry
    state, done = settle_and_tell(ledger, registry)
    if done is not None and done.event == APPROVED and done.champion_after == version:
        return _finished(done)
    decided = _awaiting(version, state)
    if decided.champion_before != state.champion:
        raise LedgerError(
            f"Version {version} was compared with champion {decided.champion_before}, the champion is "
            f"{state.champion} now: its evidence is void. Evaluate again with `kedro run --pipelines retrain`."
        )
    recorded = registry.tags(version).get("evidence_hash")
    if recorded != decided.evidence_hash:
        raise LedgerError(
            f"Version {version} carries evidence {recorded}, decided was on {decided.evidence_hash}: the approval is "
            f"void. Evaluate again with `kedro run --pipelines retrain`."
        )
    registry.files(ModelReference(version, str(decided.model_digest)))
    approval = decided.followed_by(
        APPROVED,
        [ask.reason, judge(decided)],
        actor=ask.by,
        run_id=ask.run.run_id,
        as_of=ask.run.as_of,
        champion_after=version,
    )
    return record(approval, state.head, ledger, registry)


def _finished(asked: Entry) -> Entry:
    _log.warning(
        "row %d of ops.promotion_ledger (by %s) asked for this before and was left half-way: it is done now",
        asked.sequence,
        asked.actor,
    )
    return asked


def _awaiting(version: str, state: LedgerState) -> Entry:
    """The decision on the version's model that awaits an approval."""
    digests = {e.model_digest for e in state.entries if e.event == DECIDED and e.model_version == version}
    found = [entry for entry in state.awaiting if entry.model_digest in digests]
    if not found:
        others = ", ".join(str(entry.model_version) for entry in state.awaiting) or "no version"
        raise LedgerError(f"Version {version} awaits no approval; {others} does")
    return found[0]


def roll_back(version: str | None, ask: Ask, champions: Champions) -> Entry:
    """Put the alias back on a former champion, after it was tried out.

    A roll-back that a killed command left half-way is finished, and is the answer: the same command again does not lead
    back by one more. Another command's move is finished as well, but then only a version says what is meant.

    Args:
        version: Former champion; None, or empty as a job has it: the one before the present one.
        ask: Who asks, and why.
        champions: Ledger, registry and golden rows.

    Raises:
        LedgerError: There is no such champion, it does not do what it did, or another champion was made just now.
        RegistryError: Its files were changed, or the registry cannot be reached.
    """
    ledger, registry = champions.ledger, champions.registry
    state, done = settle_and_tell(ledger, registry)
    version = version or None
    if done is not None and done.decision == "rolled_back" and version in (None, done.champion_after):
        return _finished(done)
    if done is not None and version is None:
        # Who asks saw the champion before that move, and means that one.
        raise LedgerError(
            f"Row {done.sequence} of ops.promotion_ledger ({done.event} by {done.actor}) was left half-way and is done "
            f"now: the champion is {done.champion_after}. Give the roll-back again if {done.champion_after} is to be "
            f"taken back, or say where to with --to VERSION"
        )
    reference = _former(version, state)
    if reference.version == state.champion and registry.aliased() == reference:
        raise LedgerError(f"Version {reference.version} is champion already")
    tried = _try_out(reference, champions)
    return record(_roll_back_entry(reference, tried, ask, state), state.head, ledger, registry)


def _former(version: str | None, state: LedgerState) -> ModelReference:
    """The former champion with this version, or the one before the present one."""
    target = version or state.former
    digest = None if target is None else state.digest_of(target)
    if target is None or digest is None:
        known = ", ".join(sorted({str(move.champion_after) for move in state.moves})) or "none yet"
        missing = (
            f"Version {target} was never champion"
            if target
            else "No version was champion before that was not taken back"
        )
        raise LedgerError(f"{missing}, so there is no way back to it; champions were: {known}")
    return ModelReference(target, digest)


def _try_out(reference: ModelReference, champions: Champions) -> Probe:
    golden = champions.golden_rows.get(reference.digest)
    if golden is None:
        raise LedgerError(f"Version {reference.version} has no golden rows, so it cannot be tried out")
    tried = probe(champions.registry.files(reference), golden())
    if tried.fault or tried.odd_scores or tried.difference > SAME:
        found = tried.fault or f"{tried.odd_scores} odd scores, scores differ by {tried.difference:g}"
        raise LedgerError(f"Version {reference.version} does not do what it did: {found}")
    return tried


def _roll_back_entry(reference: ModelReference, tried: Probe, ask: Ask, state: LedgerState) -> Entry:
    became = next(move for move in reversed(state.moves) if move.champion_after == reference.version)
    evidence = json.dumps(
        {"reason": ask.reason, "probe": asdict(tried), "after": state.sequence}, sort_keys=True
    )
    return replace(
        became.followed_by(
            DECIDED, [ask.reason, f"tried out: scores as evaluated, {tried.latency_ms:.0f} ms a row"]
        ),
        cause=None,
        decision="rolled_back",
        actor=ask.by,
        run_id=ask.run.run_id,
        as_of=ask.run.as_of,
        subject=hash_of(evidence),
        evidence=evidence,
        evidence_hash=hash_of(evidence),
        champion_before=state.champion,
        champion_after=reference.version,
    )
