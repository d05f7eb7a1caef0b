"""Sums over windows of time and groups of flights: what the families of the day and of history share."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from lakehouse_ml.flights.features.states import HOUR_US
from lakehouse_ml.lakehouse.event_sums import EventSums, Integers, shared_codes

Measure = tuple[Integers, Integers | None]
Floats = npt.NDArray[np.float64]

GROUPS: Mapping[str, tuple[str, ...]] = {
    "city": (),
    "origin": ("origin",),
    "carrier": ("carrier",),
    "origin_carrier": ("origin", "carrier"),
    "destination": ("destination",),
    "route": ("origin", "destination"),
    "carrier_destination": ("carrier", "destination"),
    "region": ("region",),
}


@dataclass
class WindowSums:
    """Sums over the flights of a group whose moment lies in ``(t - window, t]``, as known at each question's t.

    Attributes:
        spans: One row per contribution: the group columns, ``known_from`` and ``known_to`` (when it counts) and
            ``moment`` (where it stands in time), all in microseconds.
        measures: What is summed, by name: base and slope per microsecond of each span.
        flights: The questions: the group columns and ``predict_us``.
    """

    spans: pd.DataFrame
    measures: Mapping[str, Measure]
    flights: pd.DataFrame
    _sums: dict[tuple[str, float], EventSums] = field(default_factory=dict)
    _codes: dict[str, list[Integers]] = field(default_factory=dict)

    def total(self, measure: str, group: str, hours: float) -> Integers:
        """Sum of the measure over the group's flights of the last hours, shape (n_flights,), int64."""
        base, slope = self.measures[measure]
        return self._event_sums(group, hours).total(base, slope)

    def _event_sums(self, group: str, hours: float) -> EventSums:
        if (group, hours) not in self._sums:
            own, asked = self._group_codes(group)
            end = np.minimum(self._known_to, self._moment + round(hours * HOUR_US))
            self._sums[group, hours] = EventSums(own, self._start, end, asked, self._asked_at)
        return self._sums[group, hours]

    def _group_codes(self, group: str) -> list[Integers]:
        if group not in self._codes:
            columns = list(GROUPS[group])
            self._codes[group] = shared_codes(self.spans[columns], self.flights[columns])
        return self._codes[group]

    @cached_property
    def _moment(self) -> Integers:
        return _integers(self.spans["moment"])

    @cached_property
    def _known_to(self) -> Integers:
        return _integers(self.spans["known_to"])

    @cached_property
    def _start(self) -> Integers:
        return np.maximum(_integers(self.spans["known_from"]), self._moment)

    @cached_property
    def _asked_at(self) -> Integers:
        return _integers(self.flights["predict_us"])


def ratio(numerator: Integers | Floats, denominator: Integers | Floats) -> Floats:
    """The quotient; missing where the denominator is 0."""
    result = np.full(len(numerator), np.nan)
    np.divide(numerator, denominator, out=result, where=denominator != 0)
    return result


def _integers(column: "pd.Series[Any]") -> Integers:
    return column.to_numpy().astype(np.int64)
