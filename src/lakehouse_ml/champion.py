"""Ledger and alias as one: what the ledger's rows ask for is done to the alias, and nothing else is.

Every move is a row that asks for it, then the alias, then a row that says it was done. A promotion, approval or
roll-back that finds the first without the last finishes the move, or gives it up where the version is no longer what
was judged, or no longer there. Who only reads the champion writes nothing: until then either end of the move is the
champion.
"""

from collections.abc import Callable, Mapping
from dataclasses import astuple, dataclass
from functools import partial

import pandas as pd

from lakehouse_ml.ledger import ABANDONED, MOVED, Entry, Ledger, LedgerError, LedgerState
from lakehouse_ml.model_files import RegistryError
from lakehouse_ml.registry import ModelReference, NoSuchVersionError, Registry


def settle(ledger: Ledger, registry: Registry) -> LedgerState:
    """The ledger's state after a move that a killed run left half-way is done or given up; for movers alone.

    Raises:
        LedgerError: The chain is broken, or another promotion is at work.
        RegistryError: The registry cannot be reached; the move waits for the next promotion.
    """
    return settle_and_tell(ledger, registry)[0]


def settle_and_tell(ledger: Ledger, registry: Registry) -> tuple[LedgerState, Entry | None]:
    """See :func:`settle`; and the row that asked for the move, if one was left and is done now."""
    state = ledger.state()
    if state.pending is None:
        return state, None
    done = _carry_out(state.pending, state, ledger, registry)
    return done, None if done.entries[-1].event == ABANDONED else state.pending


def _carry_out(asked: Entry, state: LedgerState, ledger: Ledger, registry: Registry) -> LedgerState:
    named = ModelReference(str(asked.champion_after), str(asked.model_digest))
    if fault := _unlike(named, registry):
        ledger.append(asked.followed_by(ABANDONED, [fault], champion_after=state.champion), state.head)
        return ledger.state()
    if registry.aliased() != named:
        registry.point(named.version)
    if registry.aliased() != named:
        raise RegistryError(f"{registry.name}: the alias does not stay at version {named.version}")
    ledger.append(asked.followed_by(MOVED, [f"the alias names version {named.version}"]), state.head)
    return ledger.state()


def _unlike(judged: ModelReference, registry: Registry) -> str:
    """What the registry has in place of what was judged; empty: just that.

    Raises:
        RegistryError: It cannot be reached, and so says nothing about the version.
    """
    try:
        found = registry.reference(judged.version)
    except NoSuchVersionError as error:
        return str(error)
    if found == judged:
        return ""
    return f"{registry.name} version {found.version} has digest {found.digest}, judged was {judged.digest}"


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
            raise RegistryError(f"{done.entries[-1].reasons[0]}; the champion stays {done.champion}")
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


def current_challengers(ledger: Ledger) -> list[ModelReference]:
    """The versions that await an approval against the present champion, oldest first."""
    state = ledger.state()
    return [
        ModelReference(str(entry.model_version), str(entry.model_digest))
        for entry in state.awaiting
        if entry.champion_before == state.champion
    ]


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
