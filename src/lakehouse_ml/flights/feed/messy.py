"""What real feeds do to good records: seeded damage, at documented rates, the same for any window played.

Whether and how a record is damaged follows from a hash of seed, source, key and ``published_at`` alone.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, TypeAlias

import numpy as np
import pandas as pd

from lakehouse_ml.flights.feed.damage import Effect
from lakehouse_ml.flights.feed.errors import FeedError
from lakehouse_ml.flights.feed.files import Texts, Window, json_lines
from lakehouse_ml.flights.feed.odd import OddFile, odd_files
from lakehouse_ml.lakehouse.contract import Column, Contract
from lakehouse_ml.lakehouse.sources import record_fields

Draws: TypeAlias = "np.ndarray[Any, np.dtype[np.uint64]]"

EFFECTS: dict[str, Effect] = {
    "broken_line": "lost",
    "wrong_type": "lost",
    "impossible_value": "lost",
    "unknown_field": "none",
    "resend": "duplicate",
    "late_resend": "duplicate",
    "correction": "added",
}
"""What each kind does to silver: the record is lost, a line repeats it, a revision joins it, or nothing."""

IMPOSSIBLE: dict[str, dict[str, Any]] = {
    "timetable": {"distance_miles": 99_999, "destination": "?"},
    "movements": {"delay_minutes": 99_999, "event": "teleport"},
    "weather": {"humidity_pct": -1.0, "visibility_miles": 1_000.0},
    "planes": {"seats": 0, "engines": 99},
    "airports": {"latitude": 123.4, "altitude_ft": 99_999},
    "airlines": {"carrier": "?"},
}
"""Values that break the rule of their column, by source."""

CORRECTED = ("timetable", "movements", "weather")
RESENT_LATER = pd.Timedelta(hours=72)
CORRECTED_LATER = pd.Timedelta(hours=12)
LATE_DAYS = (2, 3, 4, 5)
REACH = max(RESENT_LATER, CORRECTED_LATER) + pd.Timedelta(days=max(LATE_DAYS))
"""A record published longer ago than this before a window leaves no further trace in it."""


@dataclass(frozen=True)
class Rates:
    """How often a record, or the files of a source's day, are damaged: shares in 0..1, one kind per record.

    Attributes:
        broken_line: The line ends in the middle.
        wrong_type: Text in a number or a moment, or a fraction in an integer.
        impossible_value: A value that breaks its column's rule.
        unknown_field: A sound record with a field that no contract knows.
        resend: The very line again, right behind itself.
        late_resend: The very line again, one to 72 hours later.
        correction: The same key with another value, one to twelve hours later. The first message stays as it
            is, so that the messy silver is the clean one less lost records plus corrections.
        late_file: All files of a source's day arrive two to five days late.
        odd_file_days: Every so many days: a file of zero bytes, one without lines, and one that is not gzip
            but holds lines that were sent before.
    """

    broken_line: float = 0.0005
    wrong_type: float = 0.0005
    impossible_value: float = 0.0005
    unknown_field: float = 0.0005
    resend: float = 0.001
    late_resend: float = 0.001
    correction: float = 0.002
    late_file: float = 0.03
    odd_file_days: int = 14

    def __post_init__(self) -> None:
        """Refuse rates that are no shares.

        Raises:
            FeedError: A rate is outside 0..1, the record rates add up to more than 1, or ``odd_file_days`` is
                below 1.
        """
        shares = self.by_kind | {"late_file": self.late_file}
        outside = [f"{kind}={rate}" for kind, rate in shares.items() if not 0 <= rate <= 1]
        if outside:
            raise FeedError(f"each rate must lie in 0..1, but {', '.join(outside)}")
        if sum(self.by_kind.values()) > 1:
            raise FeedError(f"the rates of damaged records must add up to 1 at most, but are {self.by_kind}")
        if self.odd_file_days < 1:
            raise FeedError(f"odd_file_days must be at least 1, is {self.odd_file_days}")

    @property
    def by_kind(self) -> dict[str, float]:
        """Share of records by kind of damage."""
        return {kind: getattr(self, kind) for kind in EFFECTS}


@dataclass(frozen=True)
class Mess:
    """A seeded world of damage.

    Attributes:
        seed: Another seed damages other records.
        rates: How often.
    """

    seed: int
    rates: Rates = field(default_factory=Rates)

    @property
    def world(self) -> dict[str, Any]:
        """See :class:`Damage`."""
        return {"seed": self.seed, "rates": asdict(self.rates)}

    @property
    def effects(self) -> Mapping[str, Effect]:
        """See :class:`Damage`."""
        return EFFECTS

    @property
    def reach(self) -> pd.Timedelta:
        """See :class:`Damage`."""
        return REACH

    def extra_files(self, records: pd.DataFrame, contract: Contract, window: Window) -> list[OddFile]:
        """See :class:`Damage`: the odd days' files that hold no readable line."""
        return odd_files(records, contract, window, self.is_odd)

    def lateness(self, source: str, period: pd.Timestamp) -> pd.Timedelta:
        """How much later than its end the period's file arrives; all hours of a UTC day share it."""
        chance, pick = _draw(f"{self.seed}|late|{source}|{period:%Y-%m-%d}")
        late = chance < self.rates.late_file * 2.0**64
        return pd.Timedelta(days=LATE_DAYS[pick % len(LATE_DAYS)] if late else 0)

    def is_odd(self, day: pd.Timestamp) -> bool:
        """Whether the day brings the odd files."""
        phase, _ = _draw(f"{self.seed}|odd")
        return (day.toordinal() + phase) % self.rates.odd_file_days == 0

    def messages(self, records: pd.DataFrame, contract: Contract) -> pd.DataFrame:
        """Everything that is sent because of these records: themselves, re-sends and corrections.

        Args:
            records: Clean records of the source.
            contract: The source's contract.

        Returns:
            The records' fields and ``_sent_at`` (UTC), ``_damage`` (a kind of ``EFFECTS``, or empty) and
            ``_draw`` (decides the details of the damage).
        """
        chance, draw = self._draws(records, contract)
        drawn = records.assign(
            _sent_at=records["published_at"], _damage=self._kinds(chance, contract), _draw=draw
        )
        extra = drawn["_damage"].map(lambda kind: EFFECTS.get(kind) in ("duplicate", "added")).astype(bool)
        first = drawn.assign(_damage=drawn["_damage"].mask(extra, ""))
        return pd.concat([first, _later(drawn[extra], contract)], ignore_index=True)

    def _draws(self, records: pd.DataFrame, contract: Contract) -> Draws:
        identities = json_lines(records[[*contract.key, "published_at"]])
        prefix = f"{self.seed}|{contract.name}|"
        digests = b"".join(_digest(prefix + identity) for identity in identities)
        return np.frombuffer(digests, dtype="<u8").reshape(-1, 2).T

    def _kinds(self, chance: Draws, contract: Contract) -> Texts:
        rates = self.rates.by_kind
        if contract.name not in CORRECTED:
            rates = rates | {"correction": 0.0}
        limits = np.cumsum(list(rates.values())) * 2.0**64
        kinds: Texts = np.array([*rates, ""], dtype=object)
        return kinds[np.searchsorted(limits, chance.astype("float64"), side="right")]


def _digest(text: str) -> bytes:
    return hashlib.blake2b(text.encode(), digest_size=16).digest()


def _draw(text: str) -> tuple[int, int]:
    digest = _digest(text)
    return int.from_bytes(digest[:8], "little"), int.from_bytes(digest[8:], "little")


def _later(drawn: pd.DataFrame, contract: Contract) -> pd.DataFrame:
    """The extra messages: exact re-sends at once and later, and corrections."""
    at_once = drawn[drawn["_damage"] == "resend"]
    late = drawn[drawn["_damage"] == "late_resend"]
    late = late.assign(_sent_at=late["_sent_at"] + _lag(late, RESENT_LATER))
    corrected = drawn[drawn["_damage"] == "correction"]
    if not corrected.empty:
        corrected = _corrected(corrected, contract.name)
    return pd.concat([at_once, late, corrected])


def _lag(drawn: pd.DataFrame, longest: pd.Timedelta) -> "pd.Series[pd.Timedelta]":
    """Whole minutes from one hour up to the longest lag."""
    return _minutes(drawn, 60, int(longest / pd.Timedelta(minutes=1)))


def _minutes(drawn: pd.DataFrame, least: int, most: int) -> "pd.Series[pd.Timedelta]":
    draws = drawn["_draw"].to_numpy(dtype="uint64") % np.uint64(most - least + 1)
    return pd.Series(pd.to_timedelta(least + draws.astype("int64"), unit="min"), drawn.index)


def _corrected(records: pd.DataFrame, source: str) -> pd.DataFrame:
    """The records as their corrections state them, published with the correction."""
    shift = _minutes(records, 5, 15)
    changes: dict[str, Any] = {
        "timetable": lambda: {"scheduled_arrival_at": records["scheduled_arrival_at"] + shift},
        "movements": lambda: {
            "event_at": records["event_at"] + shift,
            "delay_minutes": records["delay_minutes"] + shift // pd.Timedelta(minutes=1),
        },
        "weather": lambda: {"temperature_f": records["temperature_f"] + 1.0},
    }[source]()
    published_at = records["published_at"] + _lag(records, CORRECTED_LATER)
    return records.assign(**changes, published_at=published_at, _sent_at=published_at)


def damaged_line(line: str, kind: str, draw: int, contract: Contract) -> str:
    """The line as it is sent, given its clean form.

    Args:
        line: The clean line.
        kind: A kind of ``EFFECTS``. Re-sends and corrections leave the line as it is.
        draw: Decides which field is hit, and how.
        contract: The source's contract.
    """
    if kind == "broken_line":
        return line[: 1 + draw % (len(line) - 1)]
    if kind == "unknown_field":
        return f'{line[:-1]},"gate":"{draw % 90 + 10}"}}'
    if kind == "wrong_type":
        return _with(line, _wrong_type(draw, contract))
    if kind == "impossible_value":
        values = list(IMPOSSIBLE[contract.name].items())
        return _with(line, values[draw % len(values)])
    return line


def _wrong_type(draw: int, contract: Contract) -> tuple[str, Any]:
    typed: list[Column] = [column for column in record_fields(contract) if column.type != "string"]
    column = typed[draw % len(typed)]
    fraction = column.type == "int" and draw // len(typed) % 2 == 0
    return column.name, 10.5 if fraction else "unknown"


def _with(line: str, change: tuple[str, Any]) -> str:
    return json.dumps(json.loads(line) | dict([change]), ensure_ascii=False, separators=(",", ":"))
