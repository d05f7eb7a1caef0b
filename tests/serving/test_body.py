import json
import time
from typing import Any

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lakehouse_ml.serving.body import read_body
from lakehouse_ml.serving.errors import RequestError

TABLE = {"key": ["a", "b"], "hour": [1.5, None]}
SPLIT = {"columns": ["key", "hour"], "data": [["a", 1.5], ["b", None]]}
RECORDS = [{"key": "a", "hour": 1.5}, {"hour": None, "key": "b"}]

names = st.text(min_size=1, max_size=5)
values = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5)
tables = st.lists(names, min_size=1, max_size=4, unique=True).flatmap(
    lambda columns: st.lists(
        st.lists(values, min_size=len(columns), max_size=len(columns)), min_size=1, max_size=4
    ).map(lambda rows: (columns, rows))
)


def read(said: Any) -> Any:
    return read_body(json.dumps(said).encode())


@pytest.mark.parametrize("form", [{"dataframe_split": SPLIT}, {"dataframe_records": RECORDS}])
def test_both_forms_hold_the_same_rows(form: dict[str, Any]) -> None:
    assert read(form).table == TABLE
    assert read(form | {"client_request_id": "mine"}).client_request_id == "mine"


@given(tables)
def test_whatever_json_holds_comes_through_unchanged(table: tuple[list[str], list[list[Any]]]) -> None:
    columns, rows = table
    records = [dict(zip(columns, row, strict=True)) for row in rows]
    split = read({"dataframe_split": {"columns": columns, "data": rows}})
    assert split == read({"dataframe_records": records})
    assert split.table == {name: [record[name] for record in records] for name in columns}


@given(st.binary(max_size=60) | st.text('{}[]",:0123456789enul\\ tr', max_size=60).map(str.encode))
def test_garbage_is_refused_and_nothing_else_happens(content: bytes) -> None:
    with pytest.raises(RequestError):
        read_body(content)


def test_what_pandas_writes_for_a_missing_value_is_missing() -> None:
    frame = pd.DataFrame(TABLE)
    said = json.dumps({"dataframe_split": frame.to_dict(orient="split")})
    assert "NaN" in said
    assert read_body(said.encode()).table == TABLE


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"{", "no JSON in UTF-8: Expecting property name"),
        (b"\xff", "no JSON in UTF-8"),
        (b"[" * 100_000, "nested too deep"),
        (b"1" * 5000, "no JSON in UTF-8: Exceeds the limit"),
        (b"[]", "no JSON object"),
        (b"{}", "The body has nothing. Send one of dataframe_split and dataframe_records"),
        (b'{"inputs": [[1]]}', "The body has inputs"),
        (b'{"dataframe_records": [], "dataframe_split": {}}', "Send one of"),
        (b'{"dataframe_records": []}', "one or more rows"),
        (b'{"dataframe_records": [1]}', "dataframe_records: must be a list"),
        (b'{"dataframe_records": [{"a": 1}, {"b": 1}]}', "row 2 differs from row 1 by a, b"),
        (b'{"dataframe_records": [{"a": 1, "a": 2}]}', "a stands twice"),
        (b'{"dataframe_split": {"columns": ["a"]}}', "must hold columns and data"),
        (b'{"dataframe_split": {"columns": ["a", "a"], "data": [[1, 2]]}}', "names, each once"),
        (b'{"dataframe_split": {"columns": ["a"], "data": []}}', "one or more rows"),
        (b'{"dataframe_split": {"columns": ["a"], "data": [[1], [1, 2]]}}', "row 2 has 2 values for 1 columns"),
        (b'{"dataframe_records": [{"a": 1}], "client_request_id": 1}', "client_request_id: must be "),
        (b'{"dataframe_records": [{"a": 1}], "client_request_id": "{}"}', "client_request_id: must be "),
        (b'{"dataframe_records": [{"a": 1}], "client_request_id": "\\ud800"}', "client_request_id: must be"),
    ],
)  # fmt: skip
def test_each_fault_is_named(content: bytes, told: str) -> None:
    with pytest.raises(RequestError, match=told):
        read_body(content)


MANY = ", ".join(f'"a rather long name {number}": 1' for number in range(100_000))


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (f'{{"dataframe_records": [{{{MANY}, "two": 1, "two": 2}}]}}', "two stands twice"),
        (f"{{{MANY}}}", "The body has a"),
    ],
)
def test_an_object_of_very_many_names_is_refused_at_once_and_in_few_words(content: str, told: str) -> None:
    began = time.process_time()
    with pytest.raises(RequestError, match=told) as refused:
        read_body(content.encode())
    assert len(str(refused.value)) < 500
    # Comparing each name with all others would take minutes.
    assert time.process_time() - began < 5
