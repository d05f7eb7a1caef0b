"""The conventions on deliberately bad input: each of them must notice."""

from pathlib import Path

from kedro.io import DataCatalog, MemoryDataset
from kedro.pipeline import Node, Pipeline

from lakehouse_ml.flights.sources import movements
from lakehouse_ml.lakehouse.contract import Column, Contract
from test_conventions import datasets_between, functions_of, in_any_order, in_memory, restricted_beyond_silver


def same(value: object) -> object:
    return value


def test_a_dataset_between_stages_that_lives_in_memory_is_found() -> None:
    stages = {
        "first": Pipeline([Node(same, "landed", "handed_over", name="a")]),
        "second": Pipeline([Node(same, "handed_over", "written", name="b")]),
    }
    assert [name for _, name in datasets_between(stages, ("first", "second"))] == ["handed_over"]
    catalog = DataCatalog({"landed": MemoryDataset(1)})
    assert in_memory(catalog, ["handed_over", "landed"]) == ["handed_over"]


def test_a_table_that_is_read_in_no_order_with_its_writer_is_found() -> None:
    written = Node(same, "landed", "progress_of_one", name="write")
    before = Node(same, "before_progress", "kept", name="read")
    after = Node(lambda kept, written: kept, ["kept", "progress_of_one"], "told", name="tell")
    catalog = {"progress_of_one": {"ops.progress"}, "before_progress": {"ops.progress"}}
    pipeline = Pipeline([written, before, after])
    found = in_any_order(pipeline, lambda name: catalog.get(name, {name}))
    assert found == {("ops.progress", "write", "read")}


def test_a_long_function_is_measured_without_its_docstring(tmp_path: Path) -> None:
    body = "\n".join(f"    x{n} = {n}" for n in range(41))
    (tmp_path / "long.py").write_text(f'def long():\n    """Says\n    much."""\n{body}\n')
    assert list(functions_of(tmp_path)) == [(41, "long.py:1 long")]


def test_a_restricted_column_beyond_silver_is_found_by_its_name_and_by_its_class() -> None:
    columns = (
        Column("key", "string", "Key"),
        Column("tail_number", "string", "Aircraft"),
        Column("pilot", "string", "Pilot", privacy="restricted"),
    )
    leaking = Contract("gold.rotation", grain="flight", key=("key",), columns=columns)
    found = restricted_beyond_silver([movements.CONTRACT], [leaking, movements.CONTRACT])
    assert found == ["gold.rotation.tail_number", "gold.rotation.pilot"]
