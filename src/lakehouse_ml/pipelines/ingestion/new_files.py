"""Which landing files are new, and their lines into bronze."""

from collections.abc import Iterable, Iterator

from pyspark.sql import DataFrame

from lakehouse_ml.lakehouse.landing import LandedFile, LandingError, bronze_lines


def find_new_files(
    landing_files: list[LandedFile],
    ingestion_log: DataFrame,
    sources: tuple[str, ...],
    required: tuple[str, ...],
) -> tuple[list[LandedFile], frozenset[str]]:
    """The landing files that are not in the ingestion log yet; and the names of all files as of now.

    A misnamed one is new once, and may change: nothing of it is taken.

    Args:
        landing_files: The listing.
        ingestion_log: ``ops_ingestion_log`` before this run. Reads file, source, size_bytes, status.
        sources: Every source that is taken.
        required: Those of the use case.

    Raises:
        LandingError: A required source never landed a file, a folder is of no source, a file changed after it was
            taken, or has a name that was passed over.
    """
    logged = ingestion_log.select("file", "source", "size_bytes", "status").collect()
    # What was taken may be gone: landing folders are tidied.
    before = {row["source"] for row in logged if row["status"] != "misnamed"}
    _refuse_other_sources(landing_files, before, sources, required)
    _refuse_passed_over(landing_files, {row["file"] for row in logged if row["status"] == "misnamed"})
    taken = {row["file"]: row["size_bytes"] for row in logged}
    changed = [f for f in landing_files if f.is_named and f.file in taken and taken[f.file] != f.size_bytes]
    if changed:
        listed = "; ".join(f"{f.file}: {taken[f.file]} bytes when taken, {f.size_bytes} now" for f in changed)
        raise LandingError(
            f"Landing files never change, but these did after they were taken: {listed}. Put the landed content "
            f"back, and land corrections as new files"
        )
    new = [file for file in landing_files if file.file not in taken]
    return new, frozenset(file.file for file in landing_files)


def _refuse_passed_over(landing_files: list[LandedFile], misnamed: set[str]) -> None:
    """Once its day has come, a file that was named ahead of the clock would be lost: streams see no name twice."""
    passed = sorted(f.file for f in landing_files if f.is_named and f.file in misnamed)
    if passed:
        raise LandingError(
            f"Passed over while named for the future, and of a name that is not read again: {', '.join(passed)}. Land "
            f"what is right under another name, e.g. 2013-09-30-again.jsonl.gz, and take these away"
        )


def _refuse_other_sources(
    landing_files: list[LandedFile], before: set[str], sources: tuple[str, ...], required: tuple[str, ...]
) -> None:
    landed = {file.source for file in landing_files}
    named = before | {file.source for file in landing_files if file.is_named}
    missing = [source for source in required if source not in named]
    if missing:
        raise LandingError(
            f"No file landed of: {', '.join(missing)}. Landed are: {', '.join(sorted(named)) or 'none'}. "
            f"Play the feed with `kedro land`, or land at least one file per source"
        )
    unknown = sorted(landed - set(sources))
    if unknown:
        raise LandingError(
            f"Files landed of {', '.join(unknown)}, which no source takes. Sources are {', '.join(sources)}: add the "
            f"source to the use case, or move its folder out of the landing folder"
        )


def ingest(landing: DataFrame, new_files: list[LandedFile], source: str) -> Iterator[DataFrame]:
    """Every line of the source's new files, verbatim: bronze rows, or nothing where no file is new.

    Args:
        landing: ``landing_<source>``, a stream of files: path, content.
        new_files: Files that are not in the ingestion log.
        source: The source's name.
    """
    if has_new_lines(new_files, source):
        yield bronze_lines(landing, source)


def has_new_lines(new_files: Iterable[LandedFile], source: str) -> bool:
    """Whether a source's new files can hold lines; all those of other files are on record."""
    return any(file.source == source and file.has_lines for file in new_files)
