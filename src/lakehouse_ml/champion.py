"""Ledger and alias as one: what the ledger's rows ask for is done to the alias, and nothing else is.

Every move is a row that asks for it, then the alias, then a row that says it was done. A promotion, approval or
roll-back that finds the first without the last finishes the move, or gives it up where the version is no longer what
was judged. Who only reads the champion writes nothing: until then either end of the move is the champion.
"""

import json
import logging
from collections.abc import Callable, Mapping
from dataclasses import asdict, astuple, dataclass, replace
from functools import partial

import pandas as pd

from lakehouse_ml.lakehouse.run import Run
from lakehouse_ml.ledger import (
    ABANDONED,
    APPROVED,
    DECIDED,
    MOVED,
    Entry,
    Ledger,
    LedgerError,
    LedgerState,
    hash_of,
)
from lakehouse_ml.model_files import RegistryError
from lakehouse_ml.probe import Probe, probe
from lakehouse_ml.registry import ModelReference, Registry

# Two scores of one row by one model.
SAME = 1e-9

_log = logging.getLogger(__name__)


def settle(ledger: Ledger, registry: Registry) -> LedgerState:
    """The ledger's state after a move that a killed run left half-way is done or given up; for movers alone.

    Raises:
        LedgerError: The chain is broken, or another promotion is at work.
        RegistryError: The registry cannot be reached; the move waits for the next promotion.
    """
    return _settled(ledger, registry)[0]


def _settled(ledger: Ledger, registry: Registry) -> tuple[LedgerState, Entry | None]:
    """See :func:`settle`; and the row that asked for the move, if one was left and is done now."""
    state = ledger.state()
    if state.pending is None:
        return state, None
    done = _carry_out(state.pending, state, ledger, registry)
    return done, None if done.entries[-1].event == ABANDONED else state.pending


def _carry_out(asked: Entry, state: LedgerState, ledger: Ledger, registry: Registry) -> LedgerState:
    named = registry.reference(str(asked.champion_after))
    if named.digest != asked.model_digest:
        reason = f"version {named.version} has digest {named.digest}, judged was {asked.model_digest}"
        ledger.append(asked.followed_by(ABANDONED, [reason], champion_after=state.champion), state.head)
        return ledger.state()
    if registry.aliased() != named:
        registry.point(named.version)
    if registry.aliased() != named:
        raise RegistryError(f"{registry.name}: the alias does not stay at version {named.version}")
    ledger.append(asked.followed_by(MOVED, [f"the alias names version {named.version}"]), state.head)
    return ledger.state()


def record(entry: Entry, after: Entry | None, ledger: Ledger, registry: Registry) -> Entry:
    """Write what happened, and do the move if it asks for one; the row as it stands.

    Args:
        entry: A decision or an approval.
        after: The newest row when it was made.
        ledger: The environment's ledger.
        registry: The environment's registry.

    Raises:
        LedgerConflictError: Another promotion was quicker.
        RegistryError: The version is not what was judged, or the registry cannot be reached.
    """
    written = ledger.append(entry, after)
    if entry.asks_for_move:
        done = settle(ledger, registry)
        if done.entries[-1].event == ABANDONED:
            raise RegistryError(
                f"{registry.name}: {done.entries[-1].reasons[0]}; the champion stays {done.champion}"
            )
    return written


def current_champion(ledger: Ledger, registry: Registry) -> ModelReference | None:
    """The version that ledger and alias both name, while a move is half-way either end of it; nothing is written.

    Returns:
        None before the first promotion.

    Raises:
        RegistryError: They differ: something moved the alias behind the ledger.
    """
    state, alias = ledger.state(), registry.aliased()
    recorded = None if state.champion is None else ModelReference(state.champion, str(state.champion_digest))
    if alias not in (recorded, *_asked_for(state)):
        raise RegistryError(
            f"{registry.name}: the alias names {_named(alias)}, the ledger's head {_named(recorded)}: something moved "
            f"it without a promotion. {_way_out(recorded)}"
        )
    return alias


def _asked_for(state: LedgerState) -> list[ModelReference]:
    asked = state.pending
    return [] if asked is None else [ModelReference(str(asked.champion_after), str(asked.model_digest))]


def _named(reference: ModelReference | None) -> str:
    return (
        "no version" if reference is None else f"version {reference.version} (digest {reference.digest[:12]})"
    )


def _way_out(recorded: ModelReference | None) -> str:
    if recorded is None:
        return "Remove the alias: only a promotion makes a champion."
    return f"Put it back with `kedro rollback --to {recorded.version} --reason ...`."


@dataclass(frozen=True)
class Champions:
    """Where champions are kept.

    Attributes:
        ledger: The environment's ledger.
        registry: The environment's registry.
        golden_rows: Feature rows with the evaluated score, by digest.
    """

    ledger: Ledger
    registry: Registry
    golden_rows: Mapping[str, Callable[[], pd.DataFrame]]


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
    state, done = _settled(ledger, registry)
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


def current_challengers(ledger: Ledger) -> list[ModelReference]:
    """The versions that await an approval against the present champion, oldest first."""
    state = ledger.state()
    return [
        ModelReference(str(entry.model_version), str(entry.model_digest))
        for entry in state.awaiting
        if entry.champion_before == state.champion
    ]


def roll_back(version: str | None, ask: Ask, champions: Champions) -> Entry:
    """Put the alias back on a former champion, after it was tried out.

    A roll-back that a killed command left half-way is finished, and is the answer: the same command again does not lead
    back by one more.

    Args:
        version: Former champion; None: the one before the present one.
        ask: Who asks, and why.
        champions: Ledger, registry and golden rows.

    Raises:
        LedgerError: There is no such champion, or it does not do what it did.
        RegistryError: Its files were changed, or the registry cannot be reached.
    """
    ledger, registry = champions.ledger, champions.registry
    state, done = _settled(ledger, registry)
    if done is not None and done.decision == "rolled_back" and version in (None, done.champion_after):
        return _finished(done)
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
    reference = ModelReference(target, digest)
    if target == state.champion and registry.aliased() == reference:
        raise LedgerError(f"Version {target} is champion already")
    tried = _try_out(reference, champions)
    return record(_roll_back_entry(reference, tried, ask, state), state.head, ledger, registry)


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


def ledger_faults(champions: Champions) -> list[str]:
    """What is wrong with the chain, the alias, and the files of all that were champion."""
    state = LedgerState(tuple(sorted(champions.ledger.entries(), key=lambda entry: entry.sequence)))
    if state.faults:
        return state.faults
    if state.pending is not None:
        return [
            f"row {state.pending.sequence} asks for a move that is not done: the next promotion finishes it"
        ]
    were = {ModelReference(str(move.champion_after), str(move.model_digest)) for move in state.moves}
    checks: list[Callable[[], object]] = [partial(current_champion, champions.ledger, champions.registry)]
    checks += [partial(champions.registry.files, reference) for reference in sorted(were, key=astuple)]
    return [fault for check in checks if (fault := _fault_of(check))]


def _fault_of(check: Callable[[], object]) -> str:
    try:
        check()
    except (LedgerError, RegistryError) as error:
        return str(error)
    return ""
