"""Rows of the promotion ledger: good by default, so that a test states only what is special about them."""

from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from lakehouse_ml.champion import record
from lakehouse_ml.datasets import PromotionLedger
from lakehouse_ml.lakehouse.contract import by_table
from lakehouse_ml.lakehouse.tables import TABLES
from lakehouse_ml.ledger import Entry, Ledger, LedgerConflictError, LedgerState, hash_of
from lakehouse_ml.registry import LoggedModel
from registry_builders import Stores

CONTRACTS = by_table(TABLES)
AS_OF = datetime(2013, 10, 1, tzinfo=UTC)
WALL = datetime(2026, 1, 1, tzinfo=UTC)


def entry(**changes: Any) -> Entry:
    """A decision that makes version 1 champion."""
    known = {
        "event": "decided",
        "decision": "promoted",
        "actor": "job run-1",
        "run_id": "run-1",
        "as_of": AS_OF,
        "subject": "s" * 64,
        "reasons": ("elected challenger", "passed floor"),
        "evidence": "{}",
        "evidence_hash": hash_of("{}"),
        "git_commit": "0" * 40,
        "elected": "challenger",
        "model_version": "1",
        "model_digest": "1" * 64,
        "holdout_start": date(2013, 9, 3),
        "holdout_end": date(2013, 10, 1),
        "input_versions": (("gold.features", 3), ("gold.labels", 2)),
        "champion_before": None,
        "champion_after": "1",
    }
    return Entry(**{**known, **changes})


def chain(*entries: Entry) -> LedgerState:
    """The entries in this order, chained."""
    rows: list[Entry] = []
    for one in entries:
        rows.append(one.chained(rows[-1] if rows else None, WALL))
    return LedgerState(tuple(rows))


class RowsInMemory(Ledger):
    """A ledger that ends with the test."""

    def __init__(self) -> None:
        self.rows: list[Entry] = []

    def entries(self) -> list[Entry]:
        return list(self.rows)

    def append(self, entry: Entry, after: Entry | None) -> Entry:
        placed = entry.chained(after, WALL)
        if placed.sequence <= len(self.rows):
            raise LedgerConflictError(f"row {placed.sequence} is taken")
        self.rows.append(placed)
        return placed


def ledger_address(folder: Path) -> dict[str, str]:
    return {"root": str(folder / "lakehouse"), "contracts": f"{__name__}.CONTRACTS"}


def ledger_in(folder: Path) -> Ledger:
    return PromotionLedger(catalog="test", **ledger_address(folder)).load()


def crown(stores: Stores, logged: LoggedModel, **changes: Any) -> Entry:
    """The model made champion, with the rows of a promotion."""
    registry, ledger = stores.registry, ledger_in(stores.folder)
    named = registry.register(logged, {"role": "challenger", "evidence_hash": hash_of("{}")}, "card")
    state = ledger.state()
    decided = entry(
        subject=hash_of(logged.digest),
        model_version=named.version,
        model_digest=named.digest,
        champion_before=state.champion,
        champion_after=named.version,
    )
    decided = Entry(**{**vars(decided), **changes})
    return record(decided, state.head, ledger, registry)
