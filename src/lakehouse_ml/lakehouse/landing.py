"""Landing files: gzipped JSON lines, one file per source and publication period, never changed once landed."""

import gzip
import re
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pandas as pd
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

_PERIOD = re.compile(r"(\d{4}-\d{2}-\d{2}(T\d{2})?)(-[\w-]+)?\.jsonl\.gz", re.ASCII)

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
    """

    file: str
    source: str
    period_start: datetime
    period_end: datetime
    size_bytes: int


def landed_file(source: str, name: str, size_bytes: int) -> LandedFile:
    """What a landing file's name and size say.

    Args:
        source: Folder of the file.
        name: ``<day>.jsonl.gz`` or ``<day>T<hour>.jsonl.gz``; a ``-suffix`` may follow the period.
        size_bytes: Its size.

    Raises:
        LandingError: The name tells no period.
    """
    match = _PERIOD.fullmatch(name)
    try:
        start = datetime.fromisoformat(match[1]) if match else None
    except ValueError:
        start = None
    if match is None or start is None:
        raise LandingError(
            f"{source}/{name}: a landing file is named <day>.jsonl.gz or <day>T<hour>.jsonl.gz, e.g. "
            f"2013-09-30.jsonl.gz; rename it or take it out of the landing folder"
        )
    length = timedelta(hours=1) if match[2] else timedelta(days=1)
    start = start.replace(tzinfo=UTC)
    return LandedFile(f"{source}/{name}", source, start, start + length, size_bytes)


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


def bronze_lines(files: DataFrame) -> DataFrame:
    """Every line of the files, verbatim and numbered.

    Args:
        files: One row per file: ``path`` (string) and ``content`` (binary), as the ``binaryFile`` format gives them.

    Returns:
        One row per line: line, _file (``<source>/<name>``), _line_no, _ingested_at (wall clock, UTC).
    """
    lines = files.select("path", "content").mapInPandas(_unzip, "line string, _file string, _line_no int")
    return lines.withColumn("_ingested_at", F.current_timestamp())


def _unzip(batches: Iterator[pd.DataFrame]) -> Iterator[pd.DataFrame]:
    for batch in batches:
        for path, content in zip(batch["path"], batch["content"], strict=True):
            numbered = unzipped_lines(bytes(content))
            file = "/".join(path.rsplit("/", 2)[-2:])
            yield pd.DataFrame(
                {
                    "line": [line for _, line in numbered],
                    "_file": file,
                    "_line_no": pd.array([number for number, _ in numbered], dtype="int32"),
                }
            )
