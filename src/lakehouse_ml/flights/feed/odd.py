"""Files that hold no readable line: of zero bytes, without lines, or not gzip."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pandas as pd

from lakehouse_ml.flights.feed.files import SUFFIX, Window, instant, json_lines, zipped
from lakehouse_ml.lakehouse.contract import Contract

KINDS = {"airlines": "empty_file", "airports": "blank_file", "movements": "unzipped_file"}
"""Which source gets which kind."""

# Names of their own: under a period's name, an odd file could take the place of that period's late lines.
SUFFIXES = {"empty_file": "-empty", "blank_file": "-blank", "unzipped_file": "-resend"}

UNZIPPED_LINES = 3
NOON = pd.Timedelta(hours=12)


@dataclass(frozen=True)
class OddFile:
    """One such file.

    Attributes:
        name: The file's name.
        kind: A value of ``KINDS``.
        content: Its bytes.
        arrives_at: End of its period, UTC.
        lines: Lines of text in it; those of a file that is not gzip were all sent before.
    """

    name: str
    kind: str
    content: bytes
    arrives_at: pd.Timestamp
    lines: int = 0

    def entry(self, source: str) -> dict[str, Any]:
        """Its entry in the manifest."""
        return {
            "source": source,
            "file": self.name,
            "kind": self.kind,
            "arrives_at": instant(self.arrives_at),
            "lines": self.lines,
        }


def odd_files(
    records: pd.DataFrame, contract: Contract, window: Window, is_odd: Callable[[pd.Timestamp], bool]
) -> list[OddFile]:
    """The source's odd files that arrive in the window: those of odd days' noons, whatever the period length.

    Args:
        records: The source's clean records of the window at least.
        contract: The source's contract.
        window: Which files.
        is_odd: Knows the odd days.
    """
    if contract.name not in KINDS:
        return []
    days = pd.date_range((window.start - window.step).floor("D"), window.until, freq="D")
    noons = pd.Series([day + NOON for day in days if is_odd(day)], dtype="datetime64[ns, UTC]")
    found = [
        _odd_file(records, contract, window, period)
        for period in window.period(noons)
        if window.includes(period + window.step)
    ]
    return [file for file in found if file.kind != "unzipped_file" or file.lines]


def _odd_file(records: pd.DataFrame, contract: Contract, window: Window, period: pd.Timestamp) -> OddFile:
    kind, arrives_at = KINDS[contract.name], period + window.step
    name = f"{window.name(period)}{SUFFIXES[kind]}{SUFFIX}"
    if kind == "empty_file":
        return OddFile(name, kind, b"", arrives_at)
    if kind == "blank_file":
        return OddFile(name, kind, zipped([]), arrives_at)
    lines = _sent_from(records, contract, period.floor("D") + NOON)
    content = "".join(f"{line}\n" for line in lines).encode()
    return OddFile(name, kind, content, arrives_at, len(lines))


def _sent_from(records: pd.DataFrame, contract: Contract, noon: pd.Timestamp) -> list[str]:
    published = records["published_at"]
    within = records[(published >= noon) & (published < noon + pd.Timedelta(hours=1))]
    if within.empty:
        return []
    first = within.sort_values(["published_at", *contract.key], kind="stable").head(UNZIPPED_LINES)
    return list(json_lines(first))
