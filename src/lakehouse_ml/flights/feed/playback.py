"""Playing the feed back: from records and a window to the files that are due and not there yet."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from lakehouse_ml.flights.feed.damage import Damage, Effect
from lakehouse_ml.flights.feed.errors import FeedError
from lakehouse_ml.flights.feed.files import (
    SUFFIX,
    Every,
    Window,
    days_landed_otherwise,
    instant,
    json_lines,
    land,
    landed_names,
    zipped,
)
from lakehouse_ml.flights.feed.manifest import Entry, add_to_manifest, read_manifest
from lakehouse_ml.flights.feed.messy import REACH, Mess, damaged_line
from lakehouse_ml.flights.feed.odd import OddFile
from lakehouse_ml.flights.feed.records import feed_records
from lakehouse_ml.flights.sources import SOURCES
from lakehouse_ml.lakehouse.contract import Contract
from lakehouse_ml.lakehouse.sources import record_fields

SEED = 2013


@dataclass(frozen=True)
class Landed:
    """What one call added to one source.

    Attributes:
        source: The source's name.
        files: New files.
        lines: Lines in them.
    """

    source: str
    files: int
    lines: int


@dataclass(frozen=True)
class Due:
    """What one source still has to land.

    Attributes:
        contract: The source's contract.
        messages: Messages of due files in the order of their lines, with ``_file`` and what
            ``Damage.messages`` adds.
        late: Arrival by name, of files that arrive after their period's end.
        odd: Files that hold no readable line.
    """

    contract: Contract
    messages: pd.DataFrame
    late: dict[str, pd.Timestamp]
    odd: list[OddFile]


def play(
    folder: Path,
    start: pd.Timestamp | None = None,
    until: pd.Timestamp | None = None,
    every: Every = "day",
    messy: bool = False,
    seed: int = SEED,
) -> list[Landed]:
    """What was added to the landing folder: the feed's files that arrive in the window and are not there yet.

    Args:
        folder: Landing folder of one environment; files go to ``<folder>/<source>/<period>.jsonl.gz``. A
            source and period without records gets no file.
        start: Exclusive, UTC; the feed's start by default. A file arrives at the end of its period.
        until: Inclusive, UTC; the feed's end by default.
        every: Length of a period.
        messy: Damage records and files, and list the damage in ``<folder>/_manifest.json``.
        seed: Chooses what is damaged.

    Raises:
        FeedError: The window holds nothing, or its days lie there in files of the other period length, or the
            folder was played with another seed.
    """
    records = feed_records()
    window = feed_window(records, start, until, every)
    return list(publish(records, folder, window, Mess(seed) if messy else None))


def feed_window(
    records: Mapping[str, pd.DataFrame], start: pd.Timestamp | None, until: pd.Timestamp | None, every: Every
) -> Window:
    """The window, open ends set to the feed's: its first publication, and the arrival of its last file.

    Raises:
        FeedError: Nothing is published between the ends.
    """
    first, last = feed_span(records)
    start, until = start or first, min(until or last + REACH, last + REACH)
    if until <= first or start >= last:
        raise FeedError(
            f"nothing is published from {instant(start)} until {instant(until)}; "
            f"the feed runs from {instant(first)} to {instant(last)}"
        )
    return Window(start, until, every)


def feed_span(records: Mapping[str, pd.DataFrame]) -> tuple[pd.Timestamp, pd.Timestamp]:
    """The feed's first publication, and the arrival of its last file, UTC."""
    first = min(frame["published_at"].min() for frame in records.values())
    last = max(frame["published_at"].max() for frame in records.values()).floor("D") + pd.Timedelta(days=1)
    return first, last


def publish(
    records: Mapping[str, pd.DataFrame], folder: Path, window: Window, damage: Damage | None = None
) -> Iterator[Landed]:
    """What was added, source by source, each once its files are there.

    Everything that can be refused is refused before the first file lands.

    Args:
        records: Clean records by source.
        folder: Landing folder of one environment.
        window: Which files.
        damage: The damage, if any.

    Raises:
        FeedError: As of :func:`play`.
    """
    if damage:
        read_manifest(folder, damage)
    dues = [due_files(contract, records[contract.name], folder, window, damage) for contract in SOURCES]
    return (_land_source(folder, due, damage) for due in dues)


def due_files(
    contract: Contract, records: pd.DataFrame, folder: Path, window: Window, damage: Damage | None
) -> Due:
    """What the source still has to land in the window.

    Raises:
        FeedError: A day of the window lies there in files of the other period length.
    """
    reach = window.step + (damage.reach if damage else pd.Timedelta(0))
    published = records["published_at"]
    near = records[(published > window.start - reach) & (published <= window.until)]
    arriving = _arriving(_messages(near, contract, damage), window, contract.name, damage)
    there = landed_names(folder / contract.name)
    fresh = _not_landed(arriving, there, window, folder / contract.name)
    late = fresh.loc[fresh["_late"], ["_file", "_arrives_at"]].drop_duplicates()
    odd = (
        [file for file in damage.extra_files(near, contract, window) if file.name not in there]
        if damage
        else []
    )
    return Due(
        contract,
        fresh.sort_values(["_sent_at", *contract.key], kind="stable", ignore_index=True),
        dict(late.itertuples(index=False, name=None)),
        odd,
    )


def _messages(records: pd.DataFrame, contract: Contract, damage: Damage | None) -> pd.DataFrame:
    if damage:
        return damage.messages(records, contract)
    return records.assign(_sent_at=records["published_at"], _damage="", _draw=np.uint64(0))


def _arriving(messages: pd.DataFrame, window: Window, source: str, damage: Damage | None) -> pd.DataFrame:
    """Messages whose file arrives in the window, with ``_file``, ``_arrives_at`` and ``_late``."""
    period = window.period(messages["_sent_at"])
    lateness = {p: damage.lateness(source, p) if damage else pd.Timedelta(0) for p in period.unique()}
    arrival = {p: p + window.step + late for p, late in lateness.items()}
    included = period.isin([p for p, at in arrival.items() if window.includes(at)])
    period = period[included]
    return messages[included].assign(
        _file=period.map({p: window.name(p) + SUFFIX for p in lateness}).astype(object),
        _arrives_at=period.map(arrival),
        _late=period.map({p: late > pd.Timedelta(0) for p, late in lateness.items()}).astype(bool),
    )


def _not_landed(arriving: pd.DataFrame, there: set[str], window: Window, folder: Path) -> pd.DataFrame:
    """The messages whose file is not there, once no day would lie there twice."""
    other = days_landed_otherwise(there, window.every)
    days = arriving["_file"].str[:10]
    # A late file of a day before the window came on time if that day was played as clean, so it is there.
    before = days < window.start.strftime("%Y-%m-%d")
    twice = days[days.isin(list(other)) & ~before]
    if not twice.empty:
        day = twice.min()
        raise FeedError(
            f"{folder} holds {other[day]}: files by {window.every} would repeat the records of {day}; "
            "keep to the period length of that day, or start with --from after it"
        )
    return arriving[~arriving["_file"].isin(list(there)) & ~days.isin(list(other))]


def _land_source(folder: Path, due: Due, damage: Damage | None) -> Landed:
    messages, contract = due.messages, due.contract
    lines = _lines(messages, contract)
    if damage:
        add_to_manifest(folder, damage, _damages(due, damage.effects), _files(due))
    for name, rows in messages.groupby("_file", sort=True).indices.items():
        land(folder / contract.name / str(name), zipped(lines[rows]))
    for odd in due.odd:
        land(folder / contract.name / odd.name, odd.content)
    odd_lines = sum(odd.lines for odd in due.odd)
    return Landed(contract.name, messages["_file"].nunique() + len(due.odd), len(messages) + odd_lines)


def _lines(messages: pd.DataFrame, contract: Contract) -> "np.ndarray[Any, Any]":
    lines = json_lines(messages[[column.name for column in record_fields(contract)]])
    kinds = messages["_damage"]
    for row in np.flatnonzero(kinds != ""):
        lines[row] = damaged_line(lines[row], kinds[row], int(messages["_draw"][row]), contract)
    return lines


def _damages(due: Due, effects: Mapping[str, Effect]) -> list[Entry]:
    """Manifest entries of the damaged and extra lines."""
    messages = due.messages.assign(line=due.messages.groupby("_file").cumcount() + 1)
    hit = messages[messages["_damage"] != ""]
    keys = [json.loads(key) for key in json_lines(hit[[*due.contract.key]])]
    return [
        {
            "source": due.contract.name,
            "file": row["_file"],
            "line": row["line"],
            "kind": row["_damage"],
            "effect": effects[row["_damage"]],
            "key": key,
            "published_at": instant(row["published_at"]),
        }
        for key, row in zip(keys, hit.to_dict("records"), strict=True)
    ]


def _files(due: Due) -> list[Entry]:
    """Manifest entries of the late and the odd files."""
    source, lines = due.contract.name, due.messages["_file"].value_counts()
    late = [
        {
            "source": source,
            "file": name,
            "kind": "late_file",
            "arrives_at": instant(at),
            "lines": int(lines[name]),
        }
        for name, at in due.late.items()
    ]
    return [*late, *(odd.entry(source) for odd in due.odd)]
