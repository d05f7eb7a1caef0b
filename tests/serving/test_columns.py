import math
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lakehouse_ml.lakehouse.contract import Column, Contract, ContractError
from lakehouse_ml.serving.columns import fault_of, request_columns, typed_rows
from lakehouse_ml.serving.errors import RequestError
from serving_builders import FEATURES, USE_CASE, row

COLUMNS = request_columns(USE_CASE)
ARROW = {
    "double": pa.float64(),
    "string": pa.string(),
    "int": pa.int32(),
    "bigint": pa.int64(),
    "boolean": pa.bool_(),
}
STORED = {
    "double": st.floats(-1e100, 1e100, allow_nan=False),
    "string": st.text(st.characters(codec="utf-8"), max_size=5),
    "int": st.integers(-(2**31), 2**31 - 1),
    "bigint": st.integers(-(2**53), 2**53),
    "boolean": st.booleans(),
}


def rows_of(*rows: dict[str, Any]) -> pd.DataFrame:
    return typed_rows({name: [one[name] for one in rows] for name in rows[0]}, COLUMNS)


def refusal(**values: Any) -> str:
    with pytest.raises(RequestError) as refused:
        rows_of(row(), row(**values))
    return str(refused.value)


def test_a_request_carries_the_key_and_every_feature() -> None:
    assert [column.name for column in COLUMNS] == ["key", *(column.name for column in FEATURES)]


def test_a_feature_of_a_type_that_json_lacks_is_refused_at_the_start() -> None:
    strange = Contract("gold.odd", "", ("key",), (Column("seen_at", "timestamp", ""),))
    use_case: Any = SimpleNamespace(spine=USE_CASE.spine, families=(SimpleNamespace(contract=strange),))
    with pytest.raises(ContractError, match="not seen_at timestamp"):
        request_columns(use_case)


@pytest.mark.parametrize("kind", ARROW)
@given(data=st.data())
def test_values_are_as_batch_inference_has_them(kind: str, data: st.DataObject) -> None:
    values = data.draw(st.lists(st.none() | STORED[kind], min_size=1, max_size=5))
    column = Column("value", kind, "", required=False)
    stored = pa.array(values, ARROW[kind]).to_pandas()
    requested = typed_rows({"value": values}, (column,))["value"]
    if all(value is None for value in values) and kind == "double":
        stored = stored.astype("float64")
    pd.testing.assert_series_equal(requested, stored.rename("value"), check_dtype=None not in values)
    assert requested.dtype.kind == stored.dtype.kind or set(values) == {None}


@given(
    st.lists(st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=2), max_size=5),
    st.booleans(),
)
def test_the_quick_look_sees_what_the_slow_one_sees(values: list[Any], required: bool) -> None:
    values = [None if isinstance(value, float) and math.isnan(value) else value for value in values]
    column = Column("value", "double", "", required=required)
    wrong = any(
        required if value is None else type(value) not in (int, float) or not abs(value) <= 1e100
        for value in values
    )
    assert bool(fault_of(column, values)) == wrong


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("gates", 10.5, "gates: must be int, is 10.5 in row 2"),
        ("gates", 2**31, "gates: must be int, is 2147483648"),
        ("gates", True, "gates: must be int, is True"),
        ("gates", None, "gates: must be int, is null in row 2"),
        ("seats", 2**63, "seats: must be bigint"),
        ("hour", "3", "hour: must be double, is '3' in row 2"),
        ("hour", True, "hour: must be double, is True"),
        ("hour", math.inf, "hour: must be double, is inf"),
        ("hour", 10**400, "hour: must be double"),
        ("hour", -1.1e100, "hour: must be double, is -1.1e+100 in row 2"),
        ("key", '{"a":1}', "key: must not begin with [ or {, is '{\"a\":1}' in row 2"),
        ("key", "[1]", "key: must not begin with [ or {, is '[1]' in row 2"),
        ("hour", None, "hour: must be double, is null"),
        ("hour", [3.0], "hour: must be double, is [3.0]"),
        ("carrier", 5, "carrier: must be string, is 5"),
        ("carrier", "\ud800", "carrier: must be string"),
        ("is_wet", 1, "is_wet: must be boolean, is 1"),
        ("key", None, "key: must be string, is null"),
    ],
)
def test_a_value_that_breaks_its_contract_is_named_with_its_row(name: str, value: Any, told: str) -> None:
    assert refusal(**{name: value}).startswith(told)


def test_null_passes_where_the_contract_allows_it() -> None:
    rows = rows_of(row(wind_kn=None, carrier=None, seats=None))
    assert rows[["wind_kn", "carrier", "seats"]].isna().all(axis=None)


def test_a_whole_number_may_come_with_a_point() -> None:
    assert rows_of(row(gates=10.0))["gates"].tolist() == [10]
    assert rows_of(row(gates=10.0))["gates"].dtype == np.int32


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda sent: sent.pop("hour"), "hour: missing. A row holds key and every feature"),
        (lambda sent: sent.update(hour_=1), "hour_: unknown"),
        (lambda sent: sent.update({"h" * 100_000: 1}), "h" * 60 + ": unknown"),
        (lambda sent: (sent.pop("key"), sent.update(speed=1)), "key: missing; speed: unknown"),
    ],
)
def test_missing_and_unknown_columns_are_named_at_once(
    change: Callable[[dict[str, Any]], Any], told: str
) -> None:
    sent = row()
    change(sent)
    with pytest.raises(RequestError) as refused:
        rows_of(sent)
    assert str(refused.value).startswith(told)


def test_every_broken_column_is_named_at_once() -> None:
    assert refusal(hour="3", gates=0.5).startswith(
        "hour: must be double, is '3' in row 2; gates: must be int, is 0.5"
    )
