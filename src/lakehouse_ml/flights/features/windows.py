"""Sums over windows of time and groups of flights: what lateness, arrivals, history and schedule share."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from lakehouse_ml.flights.features.states import HOUR_US
from lakehouse_ml.lakehouse.contract import Column
from lakehouse_ml.lakehouse.event_sums import EventSums, Integers, shared_codes

Floats = npt.NDArray[np.float64]
# What a span contributes at an instant t: base + slope * t, t in microseconds.
Summand = tuple[Integers, Integers | None]

GROUPS: Mapping[str, tuple[str, ...]] = {
    "city": (),
    "origin": ("origin",),
    "carrier": ("carrier",),
    "origin_carrier": ("origin", "carrier"),
    "destination": ("destination",),
    "route": ("origin", "destination"),
    "carrier_destination": ("carrier", "destination"),
    "region": ("region",),
    "flight": ("carrier", "flight"),
    "carrier_hour": ("carrier", "hour"),
    "origin_hour": ("origin", "hour"),
    "carrier_route": ("carrier", "origin", "destination"),
    "carrier_route_hour": ("carrier", "origin", "destination", "hour"),
}
GROUP_WORDS: Mapping[str, str] = {
    "city": "all three airports",
    "origin": "the origin",
    "carrier": "the carrier",
    "origin_carrier": "the carrier at the origin",
    "destination": "the destination",
    "route": "the route",
    "carrier_destination": "the carrier to the destination",
    "region": "the destination's region",
    "flight": "the flight number",
    "carrier_hour": "the carrier in the hour of departure",
    "origin_hour": "the origin in the hour of departure",
    "carrier_route": "the carrier on the route",
    "carrier_route_hour": "the carrier on the route in the hour of departure",
}


@dataclass
class WindowSums:
    """Sums over the flights of a group whose moment lies in ``(t - window, t]``, as known at each question's t.

    Attributes:
        spans: One row per contribution: the group columns, ``known_from`` and ``known_to`` (while it is known) and
            ``moment`` (where it stands in time), all in microseconds UTC.
        summands: What can be summed, by name: one value per span.
        flights: The questions: the group columns and ``predict_us`` (microseconds UTC).
    """

    spans: pd.DataFrame
    summands: Mapping[str, Summand]
    flights: pd.DataFrame
    _codes: dict[tuple[str, ...], list[Integers]] = field(default_factory=dict)
    _sums: dict[tuple[tuple[str, ...], float], EventSums] = field(default_factory=dict)

    def total(self, summand: str, group: str, hours: float) -> Integers:
        """Sum over the group's flights of the last hours, shape (n_flights,), int64."""
        return self.total_over(summand, GROUPS[group], hours)

    def total_over(self, summand: str, columns: tuple[str, ...], hours: float) -> Integers:
        """The same for a group given by its columns."""
        if (columns, hours) not in self._sums:
            own, asked = self._groups(columns)
            end = np.minimum(self._known_to, self._moment + round(hours * HOUR_US))
            self._sums[columns, hours] = EventSums(own, self._start, end, asked, self._asked_at)
        base, slope = self.summands[summand]
        return self._sums[columns, hours].total(base, slope)

    def _groups(self, columns: tuple[str, ...]) -> list[Integers]:
        if columns not in self._codes:
            self._codes[columns] = shared_codes(self.spans[list(columns)], self.flights[list(columns)])
        return self._codes[columns]

    @cached_property
    def _moment(self) -> Integers:
        return integers(self.spans["moment"])

    @cached_property
    def _known_to(self) -> Integers:
        return integers(self.spans["known_to"])

    @cached_property
    def _start(self) -> Integers:
        return np.maximum(integers(self.spans["known_from"]), self._moment)

    @cached_property
    def _asked_at(self) -> Integers:
        return integers(self.flights["predict_us"])


@dataclass(frozen=True)
class Measure:
    """A figure of a window.

    Attributes:
        words: What it says, with ``{window}`` and ``{group}``.
        unit: Unit of the figure.
        of: ``(sums, group, hours) -> values``, shape (n_flights,).
    """

    words: str
    unit: str
    of: Callable[[WindowSums, str, float], Floats]


# Windows in hours, by measure, by group.
Chosen = Mapping[str, Mapping[str, tuple[float, ...]]]


def window_columns(measures: Mapping[str, Measure], chosen: Chosen) -> Iterator[Column]:
    """One column per chosen measure, group and window."""
    for measure, group, hours in _combinations(chosen):
        words = measures[measure].words.format(window=_words(hours), group=GROUP_WORDS[group])
        name = _name(measures[measure], measure, group, hours)
        yield Column(name, "double", words, required=False, unit=measures[measure].unit)


def window_values(measures: Mapping[str, Measure], chosen: Chosen, sums: WindowSums) -> dict[str, Floats]:
    """The values of :func:`window_columns` by name, shape (n_flights,) each."""
    return {
        _name(measures[measure], measure, group, hours): measures[measure].of(sums, group, hours)
        for measure, group, hours in _combinations(chosen)
    }


def mean_of(summand: str, count: str, per: int = 1) -> Callable[[WindowSums, str, float], Floats]:
    """The measure ``sum / (count * per)``: one division of integers, missing where there is nothing to count."""

    def mean(sums: WindowSums, group: str, hours: float) -> Floats:
        return ratio(sums.total(summand, group, hours), sums.total(count, group, hours) * per)

    return mean


def ratio(numerator: Integers | Floats, denominator: Integers | Floats) -> Floats:
    """The quotient; missing where the denominator is 0."""
    result = np.full(len(numerator), np.nan)
    np.divide(numerator, denominator, out=result, where=denominator != 0)
    return result


def integers(column: "pd.Series[Any]") -> Integers:
    """The column as int64, shape (n_rows,)."""
    return column.to_numpy().astype(np.int64)


def _combinations(chosen: Chosen) -> Iterator[tuple[str, str, float]]:
    for measure, groups in chosen.items():
        for group, windows in groups.items():
            for hours in windows:
                yield measure, group, hours


def _name(measure: Measure, name: str, group: str, hours: float) -> str:
    unit = "_minutes" if measure.unit == "minutes" else ""
    return f"{group}_{name}_{_short(hours)}{unit}"


def _short(hours: float) -> str:
    return f"{hours / 24:g}d" if hours > 24 else f"{hours:g}h"


def _words(hours: float) -> str:
    return f"{hours / 24:g} days" if hours > 24 else f"{hours:g} h"
