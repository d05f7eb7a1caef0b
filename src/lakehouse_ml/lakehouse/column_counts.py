"""Counts of columns that add up: what is known of two parts of the rows gives what is known of all of them."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, fields
from datetime import date
from functools import reduce
from itertools import zip_longest
from operator import add
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from lakehouse_ml.lakehouse.distinct_sketch import distinct_registers, merged_registers

Edges = Mapping[str, list[float]]

PARTS_SCHEMA = (
    "day date, column_name string, count bigint, nulls bigint, nans bigint, zeros bigint, mean double, "
    "deviation double, smallest double, largest double, bins array<bigint>, items map<string,bigint>, "
    "registers binary"
)


@dataclass(frozen=True)
class Counts:
    """One column of some rows. ``a + b`` is what counting both parts together gives.

    Attributes:
        count: Rows.
        nulls: Missing values.
        nans: Values that are not a finite number.
        zeros: Zeros.
        mean: Mean of the numbers; 0 when there are none.
        deviation: Sum of their squared distances from it.
        smallest: Smallest number; infinite when there are none.
        largest: Largest number; minus infinite when there are none.
        bins: Numbers per bin ``(edge, next edge]``; empty for text.
        items: Rows by value of a text column.
        registers: Sketch of the distinct values, see :mod:`lakehouse_ml.lakehouse.distinct_sketch`.
    """

    count: int = 0
    nulls: int = 0
    nans: int = 0
    zeros: int = 0
    mean: float = 0.0
    deviation: float = 0.0
    smallest: float = np.inf
    largest: float = -np.inf
    bins: tuple[int, ...] = ()
    items: Mapping[str, int] | None = None
    registers: bytes = b""

    @property
    def present(self) -> int:
        """Values that are there; of a number, those that are one."""
        return self.count - self.nulls - self.nans

    def __add__(self, other: "Counts") -> "Counts":
        present = self.present + other.present
        share = other.present / present if present else 0.0
        apart = other.mean - self.mean
        return Counts(
            count=self.count + other.count,
            nulls=self.nulls + other.nulls,
            nans=self.nans + other.nans,
            zeros=self.zeros + other.zeros,
            mean=self.mean + apart * share,
            # Chan, Golub, LeVeque 1979: pairwise update of a sum of squares.
            deviation=self.deviation + other.deviation + apart**2 * share * self.present,
            smallest=min(self.smallest, other.smallest),
            largest=max(self.largest, other.largest),
            bins=tuple(a + b for a, b in zip_longest(self.bins, other.bins, fillvalue=0)),
            items=_summed(self.items, other.items),
            registers=merged_registers(self.registers, other.registers),
        )


def _summed(items: Mapping[str, int] | None, others: Mapping[str, int] | None) -> Mapping[str, int] | None:
    if items is None or others is None:
        return others if items is None else items
    return {name: items.get(name, 0) + others.get(name, 0) for name in sorted({*items, *others})}


def total(parts: Iterable[Counts]) -> Counts:
    """All parts together; counts of nothing when there are none."""
    return reduce(add, parts, Counts())


def count_numbers(values: pa.Array, edges: list[float]) -> Counts:
    """Counts of numbers; null is missing, NaN is a value that is none.

    Args:
        values: Numbers or booleans.
        edges: Inner bin edges, ascending.
    """
    # Whole numbers too large for a double's last digit are counted all the same.
    given = pc.cast(values, pa.float64(), safe=False).drop_null().to_numpy(zero_copy_only=False)
    found: NDArray[np.float64] = given[np.isfinite(given)]
    places = np.searchsorted(np.asarray(edges, np.float64), found, side="left")
    mean = float(found.mean()) if len(found) else 0.0
    return Counts(
        count=len(values),
        nulls=values.null_count,
        nans=len(given) - len(found),
        zeros=int((found == 0).sum()),
        mean=mean,
        deviation=float(((found - mean) ** 2).sum()),
        smallest=float(found.min(initial=np.inf)),
        largest=float(found.max(initial=-np.inf)),
        bins=tuple(np.bincount(places, minlength=len(edges) + 1).tolist()),
        registers=distinct_registers(found),
    )


def count_texts(values: pa.Array) -> Counts:
    """Counts by value of text."""
    found = pc.value_counts(pc.cast(values, pa.string()).drop_null()).to_pylist()
    items = {entry["values"]: entry["counts"] for entry in found}
    return Counts(len(values), values.null_count, items=dict(sorted(items.items())))


def day_counts(
    rows: pa.RecordBatch, day: str, edges: Edges, texts: Iterable[str]
) -> Iterator[dict[str, Any]]:
    """Counts of every column by day: fields of :class:`Counts`, ``day`` and ``column_name``.

    Args:
        rows: The columns and their day.
        day: Name of the day's column (date).
        edges: Inner bin edges by numeric column.
        texts: Text columns.
    """
    names = tuple(texts)
    for value in pc.unique(rows.column(day)).to_pylist():
        of_day = rows.filter(pc.equal(rows.column(day), pa.scalar(value, pa.date32())))
        for name, inner in edges.items():
            yield _part(value, name, count_numbers(of_day.column(name), inner))
        for name in names:
            yield _part(value, name, count_texts(of_day.column(name)))


def _part(day: date, name: str, counts: Counts) -> dict[str, Any]:
    return {"day": day, "column_name": name, **asdict(counts)}


def counter(day: str, edges: Edges, texts: tuple[str, ...]) -> Callable[[Iterator[Any]], Iterator[Any]]:
    """:func:`day_counts` for ``mapInArrow``: parts of the schema ``PARTS_SCHEMA``."""

    def count(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            yield pa.RecordBatch.from_pylist(list(day_counts(batch, day, edges, texts)), _arrow_schema())

    return count


def _arrow_schema() -> pa.Schema:
    whole, real = pa.int64(), pa.float64()
    numbers = [pa.field(name, whole) for name in ("count", "nulls", "nans", "zeros")]
    reals = [pa.field(name, real) for name in ("mean", "deviation", "smallest", "largest")]
    return pa.schema(
        [
            pa.field("day", pa.date32()),
            pa.field("column_name", pa.string()),
            *numbers,
            *reals,
            pa.field("bins", pa.list_(whole)),
            pa.field("items", pa.map_(pa.string(), whole)),
            pa.field("registers", pa.binary()),
        ]
    )


def counts_by_day(parts: Iterable[Mapping[str, Any]]) -> dict[date, dict[str, Counts]]:
    """Parts of any size and order put together: counts by day and column."""
    found: dict[date, dict[str, Counts]] = {}
    for part in sorted(parts, key=_place):
        of_day = found.setdefault(part["day"], {})
        of_day[part["column_name"]] = of_day.get(part["column_name"], Counts()) + _counts_of(part)
    return found


def _place(part: Mapping[str, Any]) -> tuple[Any, ...]:
    # Sums of doubles depend on their order in the last digits, and parts arrive in any.
    return part["day"], part["column_name"], part["count"], part["mean"], part["deviation"]


def _counts_of(part: Mapping[str, Any]) -> Counts:
    values = {field.name: part[field.name] for field in fields(Counts)}
    items = None if values["items"] is None else dict(values["items"])
    return Counts(
        **{**values, "items": items, "bins": tuple(values["bins"]), "registers": bytes(values["registers"])}
    )
