"""Landing files: which periods a call publishes, how records become lines, and how a file appears at once."""

import gzip
import io
import json
import os
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeAlias

import numpy as np
import pandas as pd

from lakehouse_ml.flights.feed.errors import FeedError

Every = Literal["day", "hour"]
Texts: TypeAlias = "np.ndarray[Any, np.dtype[np.object_]]"
STEPS: dict[Every, pd.Timedelta] = {"day": pd.Timedelta(days=1), "hour": pd.Timedelta(hours=1)}
FLOORS: dict[Every, str] = {"day": "D", "hour": "h"}
NAMES: dict[Every, str] = {"day": "%Y-%m-%d", "hour": "%Y-%m-%dT%H"}
SUFFIX = ".jsonl.gz"
LANDED_NAME = re.compile(r"(\d{4}-\d\d-\d\d)(T\d\d)?(-[a-z]+)?\.jsonl\.gz")
# Level 6 takes nearly twice as long, for files an eighth smaller.
COMPRESSION = 4


@dataclass(frozen=True)
class Window:
    """The files that one call publishes: those that arrive after ``start`` and not after ``until``.

    A file arrives when its period has ended. Half-open at the start, so that calls that follow one another
    publish every file once.

    Attributes:
        start: UTC.
        until: UTC.
        every: Length of a publication period; periods are UTC days or hours.
    """

    start: pd.Timestamp
    until: pd.Timestamp
    every: Every = "day"

    def __post_init__(self) -> None:
        """Refuse what publishes nothing by definition.

        Raises:
            FeedError: ``every`` is unknown, or the window ends before it starts.
        """
        if self.every not in STEPS:
            raise FeedError(f"every must be one of {', '.join(STEPS)}, is {self.every!r}")
        if self.until <= self.start:
            raise FeedError(
                f"until must lie after from, but from={instant(self.start)} and until={instant(self.until)}"
            )

    @property
    def step(self) -> pd.Timedelta:
        """Length of a period."""
        return STEPS[self.every]

    def period(self, at: "pd.Series[pd.Timestamp]") -> "pd.Series[pd.Timestamp]":
        """Start of the period in which each moment lies."""
        return at.dt.floor(FLOORS[self.every])

    def includes(self, arrival: pd.Timestamp) -> bool:
        """Whether a file that arrives then is published."""
        return bool(self.start < arrival <= self.until)

    def name(self, period: pd.Timestamp) -> str:
        """The period's name, which is its file's name without the suffix."""
        return period.strftime(NAMES[self.every])


def instant(at: pd.Timestamp) -> str:
    """The moment as the feed writes it, UTC to the second."""
    return at.strftime("%Y-%m-%dT%H:%M:%SZ")


def json_lines(records: pd.DataFrame) -> Texts:
    """One JSON object per row, fields in column order; missing values are null, moments UTC to the second.

    Returns:
        shape (n_rows,), str, without line ends.
    """
    lines: Texts = np.full(len(records), "{", dtype=object)
    for position, name in enumerate(records.columns):
        lines += f'{"," if position else ""}"{name}":'
        lines += _encoded(records[name])
    lines += "}"
    return lines


def _encoded(column: "pd.Series[Any]") -> Texts:
    # Encoding each distinct value once is many times faster than encoding each row.
    codes, distinct = pd.factorize(column)
    if isinstance(distinct, pd.DatetimeIndex):
        moments = np.datetime_as_string(distinct.tz_localize(None).to_numpy(), unit="s")
        texts = [f'"{moment}Z"' for moment in moments]
    else:
        texts = [json.dumps(value, ensure_ascii=False) for value in distinct.tolist()]
    # Code -1 is a missing value, and picks the last text.
    return np.array([*texts, "null"], dtype=object)[codes]


def zipped(lines: Iterable[str]) -> bytes:
    """The lines as gzip; the same lines give the same bytes, since neither name nor time goes in."""
    buffer = io.BytesIO()
    with gzip.GzipFile(filename="", mode="wb", fileobj=buffer, compresslevel=COMPRESSION, mtime=0) as archive:
        archive.write("".join(f"{line}\n" for line in lines).encode())
    return buffer.getvalue()


def land(path: Path, content: bytes) -> None:
    """Make the file appear at once and whole: readers pass over names with a leading dot."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.part")
    partial.write_bytes(content)
    os.replace(partial, path)


def landed_names(folder: Path) -> set[str]:
    """Names of the files that a source's landing folder holds; none if there is no such folder yet."""
    return {path.name for path in folder.glob(f"*{SUFFIX}") if LANDED_NAME.fullmatch(path.name)}


def days_landed_otherwise(names: Iterable[str], every: Every) -> dict[str, str]:
    """Days that files of the other period length cover already, each with one such file."""
    other = {}
    for name in sorted(names):
        match = LANDED_NAME.fullmatch(name)
        if match and (match[2] is None) == (every == "hour"):
            other[match[1]] = name
    return other
