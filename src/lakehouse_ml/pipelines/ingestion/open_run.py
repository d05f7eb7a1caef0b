"""The run's "now", resolved once for every later stage."""

from datetime import UTC, datetime
from typing import NamedTuple

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from lakehouse_ml.lakehouse.landing import LandedFile
from lakehouse_ml.lakehouse.progress import progress_rows
from lakehouse_ml.lakehouse.run import Run


class IngestionError(RuntimeError):
    """Lines are unaccounted for, or a whole file was rejected; the message names the files."""


class AsOfError(ValueError):
    """The run's now lies where no run can be; the message names it and the way out."""


class Landed(NamedTuple):
    """What is on record of the landed files.

    Attributes:
        first: Start of the first period, UTC.
        newest: End of the newest period, UTC.
        gaps: Lines unaccounted for, by file.
        failed: Files that were rejected whole.
    """

    first: datetime
    newest: datetime
    gaps: dict[str, int]
    failed: frozenset[str]


def landed(ingestion_log: DataFrame, sources: tuple[str, ...]) -> Landed:
    """What the ingestion log says, in one scan of it.

    Args:
        ingestion_log: ``ops_ingestion_log``.
        sources: Sources whose periods count.
    """
    is_theirs = F.col("source").isin(*sources)
    gap = F.col("lines") - F.col("accepted") - F.col("duplicates") - F.col("quarantined")
    first, newest, gaps, failed = ingestion_log.agg(
        F.unix_micros(F.min(F.when(is_theirs, F.col("period_start")))),
        F.unix_micros(F.max(F.when(is_theirs, F.col("period_end")))),
        F.collect_list(F.when(gap != 0, F.struct("file", gap))),
        F.collect_list(F.when(F.col("status") == "failed", F.col("file"))),
    ).collect()[0]
    return Landed(_moment(first), _moment(newest), {file: lines for file, lines in gaps}, frozenset(failed))


def check_balance(record: Landed, new_files: list[LandedFile]) -> None:
    """Make sure that every line is accounted for, and that no new file was rejected whole.

    Raises:
        IngestionError: Naming the files.
    """
    lost = [f"{name}: {gap} lines" for name, gap in sorted(record.gaps.items())]
    if lost:
        raise IngestionError(
            f"Lines unaccounted for in {'; '.join(lost)}. Run `kedro refresh --layer silver`"
        )
    failed = [file.file for file in new_files if file.file in record.failed]
    if failed:
        raise IngestionError(
            f"Rejected whole, since a line breaks a rule with the action fail: {', '.join(failed)}. The lines are in "
            f"quarantine.lines; correct the rule and run `kedro run --pipelines replay_quarantine`, or land the "
            f"file anew under another name"
        )


def open_run(
    ingestion_log: DataFrame,
    new_files: list[LandedFile],
    runs: DataFrame,
    table_versions: dict[str, int],
    as_of: str | None,
    sources: tuple[str, ...],
) -> Run:
    """The run: its now, its name, and the versions that its inputs have.

    Args:
        ingestion_log: ``ops_ingestion_log`` as written.
        new_files: Files taken by this run.
        runs: ``ops_runs`` before this run.
        table_versions: Delta version by table, after ingestion.
        as_of: The now as given (ISO 8601, UTC), or None for the end of the newest landed period.
        sources: Sources whose periods tell the time: the use case's. What the platform lands bears the wall clock,
            which may be years away from the data that is played.
    """
    record = landed(ingestion_log, sources)
    check_balance(record, new_files)
    last = runs.agg(F.unix_micros(F.max("as_of")), F.count("*")).collect()[0]
    now = resolve_as_of(as_of, record.first, record.newest, None if last[0] is None else _moment(last[0]))
    inputs = {
        name: version for name, version in table_versions.items() if name.startswith(("bronze.", "silver."))
    }
    return Run(f"{now:%Y%m%dT%H%M}-{last[1] + 1}", now, inputs)


def resolve_as_of(as_of: str | None, first: datetime, newest: datetime, last: datetime | None) -> datetime:
    """The run's now, UTC.

    Args:
        as_of: The now as given, or None for the end of the newest landed period, or the last now if that is later.
        first: Start of the first landed period.
        newest: End of the newest landed period.
        last: The last run's now; None: there was none.

    Raises:
        AsOfError: It is no time, or lies before the first landed publication or before the last run.
    """
    if as_of is None:
        return max(newest, last or newest)
    try:
        now = datetime.fromisoformat(str(as_of))
    except ValueError:
        raise AsOfError(f"as_of: must be a UTC time such as 2013-10-01T00:00, is {as_of!r}") from None
    now = now.replace(tzinfo=UTC) if now.tzinfo is None else now.astimezone(UTC)
    if now < first:
        raise AsOfError(
            f"as_of: {now:%Y-%m-%dT%H:%M} lies before the first data, {first:%Y-%m-%dT%H:%M} UTC: name a later time, "
            f"or leave as_of out"
        )
    if last is not None and now < last:
        raise AsOfError(
            f"as_of: {now:%Y-%m-%dT%H:%M} lies before the last run's {last:%Y-%m-%dT%H:%M} UTC, and time does not "
            f"go back: leave as_of out, or use an environment of its own for a look at the past"
        )
    return now


def _moment(micros: int) -> datetime:
    return datetime.fromtimestamp(micros / 1e6, UTC)


def mark_progress(run: Run, ingestion_log: DataFrame, sources: tuple[str, ...]) -> DataFrame:
    """Rows of ``ops.progress``: bronze is contained in silver and quarantine.

    Args:
        run: The run that ingested.
        ingestion_log: ``ops_ingestion_log`` as written; progress is marked after it.
        sources: The sources' names.
    """
    return progress_rows(run, ingestion_log, "ingestion", [f"bronze.{source}" for source in sources])
