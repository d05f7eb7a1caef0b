"""Sums over everything that counts at an instant, exact to the last bit."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

Integers = npt.NDArray[np.int64]
LARGEST = np.iinfo(np.int64).max


class EventSums:
    """Sums over the spans that hold at each asked instant, within its group.

    A span counts for ``start <= t < end``; one that ends before it starts counts never. A sum is the difference of two
    running sums of integers, so that it depends neither on the order of the spans nor on spans that hold at other
    times. Running sums may wrap around 64 bits; their differences are exact all the same.

    Args:
        group: Group of each span, shape (n_spans,).
        start: First instant at which the span counts, shape (n_spans,).
        end: First instant at which it no longer counts, shape (n_spans,).
        asked_group: Group of each question, shape (n_asked,).
        asked_at: Instant of each question, shape (n_asked,).

    Raises:
        OverflowError: The groups times the range of instants exceed 64 bits.
    """

    def __init__(
        self, group: Integers, start: Integers, end: Integers, asked_group: Integers, asked_at: Integers
    ) -> None:
        self._asked_at = asked_at
        last = np.maximum(start, end)
        keys = joint_codes([group, group, asked_group], [start, last, asked_at])
        self._entering, self._entered = _positions(keys[0], keys[2])
        self._leaving, self._left = _positions(keys[1], keys[2])

    def total(self, base: Integers, slope: Integers | None = None) -> Integers:
        """Sum of ``base + slope * t`` over the spans that hold at each asked instant t, shape (n_asked,), int64."""
        total = self._running(base)
        return total if slope is None else total + self._running(slope) * self._asked_at

    def _running(self, value: Integers) -> Integers:
        entered = _running_sums(value[self._entering])[self._entered]
        left = _running_sums(value[self._leaving])[self._left]
        difference: Integers = entered - left
        return difference


def joint_codes(groups: Sequence[Integers], instants: Sequence[Integers]) -> list[Integers]:
    """One integer for each (group, instant), in the order of group, then instant.

    Args:
        groups: Arrays of non-negative group codes.
        instants: Arrays of instants, each as long as its array of groups.

    Raises:
        OverflowError: The groups times the range of instants exceed 64 bits.
    """
    first = min((int(at.min()) for at in instants if at.size), default=0)
    range_ = max((int(at.max()) for at in instants if at.size), default=0) - first + 1
    count = max((int(group.max()) for group in groups if group.size), default=0) + 1
    if count * range_ > LARGEST:
        raise OverflowError(
            f"{count} groups over a range of {range_} exceed 64 bits; sum over fewer days at a time"
        )
    return [group * range_ + (at - first) for group, at in zip(groups, instants, strict=True)]


def shared_codes(*frames: pd.DataFrame) -> list[Integers]:
    """The same integer for the same row of values in every frame, shape (n_rows,) each; missing values are a value.

    Args:
        frames: Frames with the same columns; none: every row is in one group.
    """
    code = np.zeros(sum(len(frame) for frame in frames), np.int64)
    for name in frames[0].columns:
        values, unique = _factorized([frame[name] for frame in frames])
        code = pd.factorize(code * unique + values)[0].astype(np.int64)
    lengths = np.cumsum([len(frame) for frame in frames])[:-1]
    return list(np.split(code, lengths))


def _factorized(columns: "list[pd.Series[Any]]") -> tuple[Integers, int]:
    values, unique = pd.factorize(
        np.concatenate([column.to_numpy() for column in columns]), use_na_sentinel=False
    )
    return values.astype(np.int64), len(unique)


def _positions(keys: Integers, asked: Integers) -> tuple[Integers, Integers]:
    order = np.argsort(keys, kind="stable")
    return order, np.searchsorted(keys[order], asked, side="right")


def _running_sums(values: Integers) -> Integers:
    sums = np.zeros(len(values) + 1, np.int64)
    np.cumsum(values, out=sums[1:])
    return sums
