from datetime import UTC, datetime

import pytest
from kedro.io import DatasetError

from lakehouse_ml.datasets import DeltaChanges, DeltaTable
from lakehouse_ml.lakehouse.contract import Column, Contract
from lakehouse_ml.lakehouse.tables import PROGRESS

ORDERS = Contract("bronze.orders", "order", ("order_id",), (Column("order_id", "string", "Number"),))
CONTRACTS = {contract.table: contract for contract in (ORDERS, PROGRESS)}
AS_OF = datetime(2013, 1, 1, tzinfo=UTC)


class Shop:
    """A table that grows, and consumers that read what is new."""

    def __init__(self, spark, root) -> None:
        self.spark = spark
        self.address = {"catalog": "test", "root": str(root), "contracts": f"{__name__}.CONTRACTS"}
        self.table = DeltaTable(**self.address, schema="bronze", table="orders", mode="insert")

    def sell(self, *orders: str) -> None:
        self.table.save(self.spark.createDataFrame([(order,) for order in orders], "order_id string"))

    def changes(self, consumer: str, **options) -> DeltaChanges:
        return DeltaChanges(**self.address, schema="bronze", table="orders", consumer=consumer, **options)

    def new(self, consumer: str) -> list[tuple[str, int]]:
        return sorted(tuple(row) for row in self.changes(consumer).load().collect())

    def mark(self, consumer: str, version: int) -> None:
        row = self.spark.createDataFrame(
            [(consumer, "bronze.orders", version, AS_OF)],
            "consumer string, table string, version bigint, as_of timestamp",
        )
        DeltaTable(**self.address, schema="ops", table="progress", mode="insert").save(row)


@pytest.fixture
def shop(spark, tmp_path) -> Shop:
    return Shop(spark, tmp_path)


def test_each_consumer_reads_what_is_new_to_it_with_the_version_that_brought_it(shop):
    shop.sell("A")
    shop.sell("B", "C")
    assert shop.new("reader") == [("A", 1), ("B", 2), ("C", 2)]
    shop.mark("reader", 1)
    assert shop.new("reader") == [("B", 2), ("C", 2)]
    assert shop.new("other") == [("A", 1), ("B", 2), ("C", 2)]
    shop.mark("reader", 2)
    assert shop.new("reader") == []
    assert shop.changes("reader").load().columns == ["order_id", "_commit_version"]
    shop.sell("D")
    assert shop.new("reader") == [("D", 3)]


def test_compaction_brings_nothing_new(shop, spark):
    shop.sell("A")
    shop.sell("B")
    shop.mark("reader", 2)
    spark.sql(f"OPTIMIZE {shop.table.identifier}")
    assert shop.new("reader") == []
    assert shop.new("other") == [("A", 1), ("B", 2)]


def test_a_table_that_is_younger_than_what_was_read_of_it_was_made_again(shop):
    shop.sell("A")
    shop.mark("reader", 5)
    with pytest.raises(
        DatasetError, match=r"orders is at version 1, but reader has read version 5: .* was made again"
    ):
        shop.changes("reader").load()


def test_a_missing_table_is_an_error_unless_nothing_may_have_come(shop):
    with pytest.raises(DatasetError, match="does not exist"):
        shop.changes("reader").load()
    assert shop.changes("reader", missing="empty").load().columns == ["order_id", "_commit_version"]


def test_changes_are_read_only(shop, spark):
    with pytest.raises(DatasetError, match=r"Changes of bronze\.orders cannot be saved"):
        shop.changes("reader").save(spark.range(1))
