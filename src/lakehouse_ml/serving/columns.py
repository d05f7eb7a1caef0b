"""A request's values against the contracts of key and features, and as batch inference has them."""

from collections.abc import Callable, Mapping, Sequence
from itertools import islice
from typing import Any

import numpy as np
import pandas as pd

from lakehouse_ml.lakehouse.contract import Column, ContractError
from lakehouse_ml.serving.errors import RequestError
from lakehouse_ml.use_case import UseCase

# More would bury the first ones.
TOLD = 10
_WHOLE = {"int": 2**31, "bigint": 2**63}
# No measure is as large, and what a model makes of two of them is still a number.
_LARGEST = 1e100


def request_columns(use_case: UseCase) -> tuple[Column, ...]:
    """What a row of a request holds: the key, then every feature, as their contracts say.

    Raises:
        ContractError: A feature has a type that JSON does not carry.
    """
    features = (column for family in use_case.families for column in family.contract.columns)
    columns = (
        use_case.spine.contract.column("key"),
        *(column for column in features if column.name != "key"),
    )
    strange = [f"{column.name} {column.type}" for column in columns if column.type not in _FITS]
    if strange:
        raise ContractError(
            f"Requests carry {', '.join(_FITS)}, and not {', '.join(strange)}: give the feature one of these types"
        )
    return columns


def typed_rows(table: Mapping[str, list[Any]], columns: Sequence[Column]) -> pd.DataFrame:
    """The rows with the types that gold's have in pandas.

    Args:
        table: JSON values by column; None is a missing value.
        columns: See :func:`request_columns`.

    Raises:
        RequestError: Naming every missing and unknown column, or every column with a value that breaks its contract.
    """
    names = [column.name for column in columns]
    missing = [f"{name}: missing" for name in names if name not in table]
    _refuse([*missing, *(f"{name:.60}: unknown" for name in table if name not in names)])
    _refuse([fault for column in columns if (fault := fault_of(column, table[column.name]))])
    _refuse(_nested(table.get("key", [])))
    return pd.DataFrame({column.name: _typed(column, table[column.name]) for column in columns})


def _refuse(faults: list[str]) -> None:
    if faults:
        more = f"; and {len(faults) - TOLD} more" if len(faults) > TOLD else ""
        raise RequestError(
            f"{'; '.join(faults[:TOLD])}{more}. A row holds key and every feature, as gold.features does, and nothing "
            f"else."
        )


def _nested(keys: Sequence[str]) -> list[str]:
    """The first key that begins as JSON does: in the request log it would be no text to ingestion."""
    rows = (row for row, key in enumerate(keys, start=1) if key.startswith(("[", "{")))
    return [
        f"key: must not begin with [ or {{, is {keys[row - 1]!r:.60} in row {row}" for row in islice(rows, 1)
    ]


def fault_of(column: Column, values: Sequence[Any]) -> str:
    """The first value that breaks the column's contract, in words; empty: there is none.

    Types and missing values are checked. Rules are SQL, and were checked when gold was written.
    """
    if _are_plain_numbers(column, values):
        return ""
    fits = _FITS[column.type]
    broken = (
        (row, value)
        for row, value in enumerate(values, start=1)
        if (column.required if value is None else not fits(value))
    )
    for row, value in islice(broken, 1):
        found = "null" if value is None else repr(value)[:60]
        return f"{column.name}: must be {column.type}, is {found} in row {row}"
    return ""


def _are_plain_numbers(column: Column, values: Sequence[Any]) -> bool:
    """Whether nothing but floats that fit, or missing ones where they may be: nearly every column, seen at once."""
    kinds = set(map(type, values))
    may_miss = not column.required
    if column.type != "double" or not kinds <= ({float, type(None)} if may_miss else {float}):
        return False
    return not (np.abs(np.array(values, dtype=np.float64)) > _LARGEST).any()


def _is_text(value: Any) -> bool:
    # JSON can escape half a character, which no file can hold.
    return isinstance(value, str) and (value.isascii() or not any("\ud800" <= c <= "\udfff" for c in value))


def _is_number(value: Any) -> bool:
    return type(value) in (float, int) and abs(value) <= _LARGEST


def _is_whole(bound: int) -> Callable[[Any], bool]:
    # 10.0 is 10: pandas writes whole numbers so when one of them is missing.
    return lambda value: _is_number(value) and value == int(value) and -bound <= value < bound


_FITS: Mapping[str, Callable[[Any], bool]] = {
    "string": _is_text,
    "double": _is_number,
    "boolean": lambda value: value is True or value is False,
    **{name: _is_whole(bound) for name, bound in _WHOLE.items()},
}


def _typed(column: Column, values: list[Any]) -> Any:
    """The values as Arrow hands them to pandas: a missing whole number makes all of them floats."""
    is_complete = None not in values
    if column.type == "double" or (column.type in _WHOLE and not is_complete):
        return np.array(values, dtype=np.float64)
    if column.type in _WHOLE:
        return np.array(values, dtype=np.int32 if column.type == "int" else np.int64)
    if column.type == "boolean" and is_complete:
        return np.array(values, dtype=np.bool_)
    return np.array(values, dtype=object)
