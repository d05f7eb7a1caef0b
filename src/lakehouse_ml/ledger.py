"""The promotion ledger: a chain of rows that says who is champion, and why.

A decision or an approval is written before the alias moves, and the move after it: whatever a killed run leaves,
the rows tell what is still to be done.
"""

import hashlib
import json
from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields, replace
from datetime import UTC, date, datetime
from functools import cached_property
from typing import Any, Literal

DECIDED, APPROVED, MOVED, ABANDONED = "decided", "approved", "moved", "abandoned"
Decision = Literal["promoted", "awaiting_approval", "refused", "rolled_back"]
# What the first row has before it.
GENESIS = "0" * 64


class LedgerError(RuntimeError):
    """The ledger cannot be trusted, or does not allow what was asked for."""


class LedgerConflictError(LedgerError):
    """Another promotion took the place that a row was meant for."""


@dataclass(frozen=True)
class Entry:
    """One row of ``ops.promotion_ledger``; see its contract for the columns. Times are UTC."""

    event: str
    decision: Decision
    actor: str
    run_id: str
    as_of: datetime
    subject: str
    reasons: tuple[str, ...]
    evidence: str | None
    evidence_hash: str
    git_commit: str
    cause: int | None = None
    elected: str | None = None
    model_version: str | None = None
    model_digest: str | None = None
    holdout_start: date | None = None
    holdout_end: date | None = None
    input_versions: tuple[tuple[str, int], ...] = ()
    champion_before: str | None = None
    champion_after: str | None = None
    sequence: int = 0
    recorded_at: datetime | None = None
    previous_hash: str = GENESIS
    row_hash: str = ""

    @property
    def asks_for_move(self) -> bool:
        """Whether the alias is to follow."""
        return self.event == APPROVED or (
            self.event == DECIDED and self.decision in ("promoted", "rolled_back")
        )

    def followed_by(self, event: str, reasons: Iterable[str], **changes: Any) -> "Entry":
        """The row that carries this one out: the same, but for what happened; the evidence stays here."""
        carried: dict[str, Any] = {
            "event": event,
            "cause": self.sequence,
            "reasons": tuple(reasons),
            "evidence": None,
        }
        return replace(self, **carried, **changes)

    def chained(self, previous: "Entry | None", recorded_at: datetime) -> "Entry":
        """This entry as the row after another one."""
        placed = replace(
            self,
            sequence=previous.sequence + 1 if previous else 1,
            previous_hash=previous.row_hash if previous else GENESIS,
            recorded_at=recorded_at,
        )
        return replace(placed, row_hash=hash_of_entry(placed))


def hash_of_entry(entry: Entry) -> str:
    """SHA-256 (hex) over all columns but for the hash itself."""
    content = {
        field.name: _plain(getattr(entry, field.name)) for field in fields(entry) if field.name != "row_hash"
    }
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def _plain(value: Any) -> Any:
    # A moment is one number, in whatever zone a reader has it.
    if isinstance(value, datetime):
        return round(value.astimezone(UTC).timestamp() * 1_000_000)
    return value.isoformat() if isinstance(value, date) else value


@dataclass(frozen=True)
class LedgerState:
    """What the rows add up to.

    Attributes:
        entries: All rows, oldest first.
    """

    entries: tuple[Entry, ...] = ()

    @property
    def head(self) -> Entry | None:
        """The newest row; None: there is none."""
        return self.entries[-1] if self.entries else None

    @property
    def sequence(self) -> int:
        """Sequence of the newest row; 0: none."""
        return self.head.sequence if self.head else 0

    @property
    def moves(self) -> tuple[Entry, ...]:
        """The moves of the alias, oldest first."""
        return tuple(entry for entry in self.entries if entry.event == MOVED)

    @property
    def champion(self) -> str | None:
        """Version that the newest move left the alias at; None: no move yet."""
        return self.moves[-1].champion_after if self.moves else None

    @property
    def champion_digest(self) -> str | None:
        """Digest that the champion was promoted with."""
        return self.moves[-1].model_digest if self.moves else None

    @property
    def former(self) -> str | None:
        """The champion that the present one was promoted over, or the last before that was not taken back; None: none.

        What came after that promotion is left aside, so that a roll-back that is asked for twice never leads forward
        again.
        """
        kept = [move for move in self._before_promotion if self.taken_back(str(move.model_digest)) is None]
        return kept[-1].champion_after if kept else None

    @property
    def _before_promotion(self) -> tuple[Entry, ...]:
        """Moves to other models before the newest promotion of the present champion."""
        own = [place for place, move in enumerate(self.moves) if move.model_digest == self.champion_digest]
        promoted = [place for place in own if self.moves[place].decision != "rolled_back"]
        earlier = self.moves[: promoted[-1]] if promoted else ()
        return tuple(move for move in earlier if move.model_digest != self.champion_digest)

    @cached_property
    def pending(self) -> Entry | None:
        """The decision or approval whose move is neither done nor given up; None: nothing is half-way."""
        done = {entry.cause for entry in self.entries if entry.event in (MOVED, ABANDONED)}
        waiting = [entry for entry in self.entries if entry.asks_for_move and entry.sequence not in done]
        return waiting[-1] if waiting else None

    @property
    def awaiting(self) -> tuple[Entry, ...]:
        """The decisions that wait for an approval: the newest ones on their models, and not answered; oldest first."""
        newest = {entry.model_digest: entry for entry in self.entries if entry.event == DECIDED}
        answered = {entry.cause for entry in self.entries if entry.event == APPROVED}
        waiting = (entry for entry in newest.values() if entry.decision == "awaiting_approval")
        return tuple(
            sorted((e for e in waiting if e.sequence not in answered), key=lambda entry: entry.sequence)
        )

    @property
    def judged_until(self) -> date | None:
        """Day after the newest holdout day that promoted a model; None: no promotion yet."""
        days = [e.holdout_end for e in self.entries if e.decision == "promoted" or e.event == APPROVED]
        return max((day for day in days if day is not None), default=None)

    def decided(self, subject: str) -> Entry | None:
        """The decision on a subject; None: not decided yet."""
        found = [entry for entry in self.entries if (entry.event, entry.subject) == (DECIDED, subject)]
        return found[-1] if found else None

    def digest_of(self, version: str) -> str | None:
        """Digest that a version had when it was champion; None: it never was."""
        found = [entry.model_digest for entry in self.moves if entry.champion_after == version]
        return found[-1] if found else None

    def taken_back(self, digest: str) -> Entry | None:
        """The newest roll-back from a model; None: it was never taken back, or came back since."""
        for entry in reversed(self.moves):
            if entry.model_digest == digest:
                return None
            if entry.decision == "rolled_back" and self.digest_of(str(entry.champion_before)) == digest:
                return entry
        return None

    @property
    def faults(self) -> list[str]:
        """What is wrong with the chain, by row: a row that was changed, removed, added or put elsewhere."""
        found, before = [], GENESIS
        for place, entry in enumerate(self.entries, start=1):
            if entry.sequence != place:
                found.append(f"row {place} is missing: the next one has sequence {entry.sequence}")
            if entry.row_hash != hash_of_entry(entry):
                found.append(f"row {entry.sequence} was changed: its content does not have its hash")
            if entry.previous_hash != before:
                found.append(f"row {entry.sequence} does not follow the row before it: the hashes differ")
            if entry.evidence is not None and hash_of(entry.evidence) != entry.evidence_hash:
                found.append(f"row {entry.sequence} holds other evidence than was judged")
            before = entry.row_hash
        return found


def hash_of(text: str) -> str:
    """SHA-256 (hex) of a text."""
    return hashlib.sha256(text.encode()).hexdigest()


def state_of(entries: Sequence[Entry]) -> LedgerState:
    """The state, checked.

    Raises:
        LedgerError: The chain is broken.
    """
    state = LedgerState(tuple(sorted(entries, key=lambda entry: entry.sequence)))
    if state.faults:
        raise LedgerError(
            f"ops.promotion_ledger is not as it was written: {'; '.join(state.faults)}. Restore the table "
            f"(Delta's history has it), and see `kedro ledger verify`."
        )
    return state


class Ledger(ABC):
    """Where the rows are kept."""

    @abstractmethod
    def entries(self) -> list[Entry]:
        """All rows, in any order; none before the first promotion."""

    @abstractmethod
    def append(self, entry: Entry, after: Entry | None) -> Entry:
        """The entry as it stands in the ledger now, right after another row.

        Args:
            entry: What happened; its place, its hashes and its wall clock are given here.
            after: The newest row that the writer knows; None: the ledger is empty.

        Raises:
            LedgerConflictError: Another writer was quicker.
        """

    def state(self) -> LedgerState:
        """What the rows add up to.

        Raises:
            LedgerError: The chain is broken.
        """
        return state_of(self.entries())
