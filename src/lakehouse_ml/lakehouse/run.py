"""The run's "now": resolved once, read by every later stage."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True)
class Run:
    """One row of ``ops.runs``.

    Attributes:
        run_id: Identifies the run; predictions, evaluations and ledger rows carry it.
        as_of: The run's now, UTC. Nothing published later is used.
        versions: Delta version of every bronze and silver table at the end of ingestion.
    """

    run_id: str
    as_of: datetime
    versions: dict[str, int]
