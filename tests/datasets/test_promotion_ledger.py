"""The ledger as a Delta table: rows that are really there, and of two writers one."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier, local

import pytest

from lakehouse_ml.champion import record
from lakehouse_ml.datasets import delta_table, promotion_ledger
from lakehouse_ml.datasets.delta_table import DeltaTable
from lakehouse_ml.ledger import LedgerConflictError, LedgerError, hash_of
from ledger_builders import crown, entry, ledger_in
from registry_builders import Stores, saved_model


@pytest.fixture
def sessions(spark, monkeypatch) -> Iterator[None]:
    """A session of its own for each thread, as each process has one."""
    own = local()

    def session():
        if not hasattr(own, "session"):
            own.session = spark.newSession()
        return own.session

    for module in (delta_table, promotion_ledger):
        monkeypatch.setattr(module, "get_spark", session)
    yield
    # Python takes the one that made the newest frame for the active session, in every thread.
    spark.createDataFrame([], "nothing int")


@pytest.mark.usefixtures("sessions")
def test_of_two_promotions_at_once_one_wins_and_the_other_gets_the_conflict(stores: Stores):
    crown(stores, saved_model(stores, "first"))
    models = [saved_model(stores, name) for name in ("second", "third")]
    versions = [stores.registry.register(model, {}, "card").version for model in models]
    ledger, together = ledger_in(stores.folder), Barrier(2, timeout=300)
    head = ledger.state().head

    def promote(version: str) -> str:
        digest = stores.registry.reference(version).digest
        known = {"model_version": version, "champion_before": "1", "champion_after": version}
        asked = entry(actor=f"job {version}", subject=hash_of(version), model_digest=digest, **known)
        together.wait()
        try:
            record(asked, head, ledger, stores.registry)
        except LedgerConflictError as error:
            return str(error)
        return "won"

    with ThreadPoolExecutor(2) as pool:
        told = dict(zip(versions, pool.map(promote, versions), strict=True))
    (winner,) = [version for version, text in told.items() if text == "won"]
    (loser,) = set(versions) - {winner}
    assert f"Row 3 of ops.promotion_ledger was written by job {winner} at the same time" in told[loser]
    state = ledger.state()
    rows = [(row.event, row.actor) for row in state.entries[2:]]
    assert rows == [("decided", f"job {winner}"), ("moved", f"job {winner}")]
    assert (state.pending, state.champion) == (None, winner)
    assert stores.registry.aliased().version == winner


def test_a_row_that_is_not_there_when_it_is_read_back_moves_no_alias(spark, stores: Stores, monkeypatch):
    crown(stores, saved_model(stores, "first"))
    monkeypatch.setattr(DeltaTable, "merge_new", lambda *_: None)
    with pytest.raises(LedgerError, match=r"Row 3 .*\(decided, promoted\) was written and is not there"):
        crown(stores, saved_model(stores, "second"))
    assert stores.registry.aliased().version == "1"
