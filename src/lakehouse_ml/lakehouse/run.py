"""The run's "now": resolved once, read by every later stage."""

from dataclasses import dataclass
from datetime import UTC, datetime

from pyspark.sql import DataFrame
from pyspark.sql import functions as F


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


def find_run(runs: DataFrame, run_id: str | None = None) -> Run | None:
    """The run of that name, or the newest one; None: there is none.

    Args:
        runs: ``ops.runs``.
        run_id: Its name; None: the newest.
    """
    named = runs if run_id is None else runs.where(F.col("run_id") == run_id)
    newest = named.orderBy(F.desc("as_of"), F.desc("opened_at")).limit(1)
    rows = newest.select("run_id", F.unix_micros("as_of").alias("as_of"), "versions").collect()
    if not rows:
        return None
    # Collected timestamps are in the machine's time zone; microseconds are not.
    as_of = datetime.fromtimestamp(rows[0]["as_of"] / 1e6, UTC)
    return Run(rows[0]["run_id"], as_of, dict(rows[0]["versions"]))
