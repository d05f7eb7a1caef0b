"""Landing files: gzipped JSON lines, one file per source and publication period, never changed once landed."""

import gzip
import re
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import partial

import pandas as pd
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

_PERIOD = re.compile(r"(\d{4}-\d{2}-\d{2}(T\d{2})?)(-[\w-]+)?\.jsonl\.gz", re.ASCII)

# Nothing is published ahead of the clock but by one that runs ahead, or by a forgotten time zone.
_AHEAD = timedelta(days=1)

# Stands for a whole file that has no lines of its own: an empty one, or one that cannot be unzipped.
WHOLE_FILE = 0


class LandingError(RuntimeError):
    """The landing folder is not as it must be; the message names the file or source and the way out."""


@dataclass(frozen=True)
class LandedFile:
    """One landing file.

    Attributes:
        file: ``<source>/<name>``.
        source: The source's name.
        period_start: First moment of publication that the file covers, UTC.
        period_end: End of the publication that it covers, exclusive, UTC.
        size_bytes: Size as landed.
        is_named: Its name tells its period, and that has begun. Nothing is taken of any other file.
    """

    file: str
    source: str
    period_start: datetime
    period_end: datetime
    size_bytes: int
    is_named: bool = True

    @property
    def has_lines(self) -> bool:
        """Whether it can hold lines that are taken."""
        return self.is_named and self.size_bytes > 0


def landed_files(found: Sequence[tuple[str, str, int]]) -> list[LandedFile]:
    """The landing files in the same order; a misnamed one has the period of the newest file beside it.

    Which is when it came, as near as the landing folder tells: no misnamed file moves a run's now. One whose period
    begins more than a day after the wall clock is misnamed, too: now would stay in that future.

    Args:
        found: Source, name and size of each, see :func:`landed_file`.

    Raises:
        LandingError: There are files, and not one name tells a period that has begun.
    """
    named = [landed_file(*file) for file in found if _is_named(file[1])]
    if found and not named:
        raise _misnaming(*found[0][:2])
    return [
        landed_file(source, name, size)
        if _is_named(name)
        else _misnamed(f"{source}/{name}", source, size, named)
        for source, name, size in found
    ]


def _misnamed(file: str, source: str, size_bytes: int, named: Sequence[LandedFile]) -> LandedFile:
    newest = max(named, key=lambda other: (other.source == source, other.period_end))
    return replace(newest, file=file, source=source, size_bytes=size_bytes, is_named=False)


def landed_file(source: str, name: str, size_bytes: int) -> LandedFile:
    """What a landing file's name and size say.

    Args:
        source: Folder of the file.
        name: ``<day>.jsonl.gz`` or ``<day>T<hour>.jsonl.gz``; a ``-suffix`` may follow the period.
        size_bytes: Its size.

    Raises:
        LandingError: The name tells no period.
    """
    period = _period(name)
    if period is None:
        raise _misnaming(source, name)
    return LandedFile(f"{source}/{name}", source, *period, size_bytes)


def _misnaming(source: str, name: str) -> LandingError:
    return LandingError(
        f"{source}/{name}: a landing file is named <day>.jsonl.gz or <day>T<hour>.jsonl.gz, e.g. 2013-09-30.jsonl.gz, "
        f"by a day or hour that has begun; rename it or take it out of the landing folder"
    )


def _is_named(name: str) -> bool:
    period = _period(name)
    return period is not None and period[0] <= datetime.now(UTC) + _AHEAD


def _period(name: str) -> tuple[datetime, datetime] | None:
    """Start and end of publication that the name tells, UTC."""
    match = _PERIOD.fullmatch(name)
    if match is None:
        return None
    try:
        start = datetime.fromisoformat(match[1]).replace(tzinfo=UTC)
        return start, start + (timedelta(hours=1) if match[2] else timedelta(days=1))
    except (ValueError, OverflowError):
        # No such day, or the last one that there is.
        return None


def unzipped_lines(content: bytes) -> list[tuple[int, str | None]]:
    """Line numbers and lines of a gzipped file.

    Bytes that are not UTF-8 are kept as backslash escapes. A file without lines is one row ``(0, None)``; one that is
    not gzip, or is cut off, is one row with line number 0 and its content.
    """
    try:
        text = gzip.decompress(content).decode(errors="backslashreplace")
    except (OSError, EOFError, zlib.error):
        return [(WHOLE_FILE, content.decode(errors="backslashreplace"))]
    lines = text.removesuffix("\n").split("\n") if text else []
    return list(enumerate(lines, start=1)) or [(WHOLE_FILE, None)]


def bronze_lines(files: DataFrame, source: str) -> DataFrame:
    """Every line of the source's files, verbatim and numbered; nothing of what the listing has as misnamed.

    Nor is anything taken of a folder among the files, one of the source's own name included.

    Args:
        files: One row per file: ``path`` (string) and ``content`` (binary), as the ``binaryFile`` format gives them.
        source: The source's name. Streams look into folders among the files, too.

    Returns:
        One row per line: line, _file (``<source>/<name>``), _line_no, _ingested_at (wall clock, UTC).
    """
    lines = files.select("path", "content").mapInPandas(
        partial(_unzip, source=source), "line string, _file string, _line_no int"
    )
    return lines.withColumn("_ingested_at", F.current_timestamp())


def _unzip(batches: Iterator[pd.DataFrame], source: str) -> Iterator[pd.DataFrame]:
    for batch in batches:
        for path, content in zip(batch["path"], batch["content"], strict=True):
            above, folder, name = path.rsplit("/", 3)[-3:]
            if folder != source or above == source or not _is_named(name):
                continue
            numbered = unzipped_lines(bytes(content))
            yield pd.DataFrame(
                {
                    "line": [line for _, line in numbered],
                    "_file": f"{source}/{name}",
                    "_line_no": pd.array([number for number, _ in numbered], dtype="int32"),
                }
            )
