"""One Delta table under its contract. The tables of a test lie in a folder of its own."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from kedro.io import DatasetError
from py4j.protocol import Py4JJavaError
from pyspark.errors import PySparkException
from pyspark.sql import functions as F

from lakehouse_ml.datasets import DeltaTable
from lakehouse_ml.lakehouse.contract import Column, Contract, Rule

ORDERS = Contract(
    table="silver.orders",
    grain="order, each of the shop's",
    key=("order_id",),
    columns=(
        Column("order_id", "string", "Number of the shop's order"),
        Column("amount_eur", "double", "Total", required=False, rule="amount_eur >= 0"),
        Column("note", "string", "Words", required=False, rule=r"note RLIKE '^[\\w \']*$'"),
        Column("ordered_at", "timestamp", "Moment", unit="UTC"),
    ),
    rules=(Rule("note_of_large", "amount_eur IS NULL OR amount_eur < 1000 OR note IS NOT NULL"),),
    day="ordered_at",
)
DAYS = Contract(
    table="gold.days",
    grain="sum of a day and shop",
    key=("day", "shop"),
    columns=(
        Column("day", "date", "Day", unit="UTC"),
        Column("shop", "string", "Shop"),
        Column("sum_eur", "double", "Sum"),
    ),
    day="day",
)
NOTES = Contract(
    table="ops.notes",
    grain="note of a run",
    key=("note",),
    columns=(Column("note", "string", "Words"),),
    append_only=True,
)
CONTRACTS = {contract.table: contract for contract in (ORDERS, DAYS, NOTES)}


@pytest.fixture
def address(tmp_path) -> dict:
    return {"catalog": "test", "root": str(tmp_path), "contracts": f"{__name__}.CONTRACTS"}


@pytest.fixture
def orders(spark, address):
    """A fresh dataset over the test's table of orders, as each run makes one."""

    def make(mode: str = "insert", **options) -> DeltaTable:
        return DeltaTable(**address, schema="silver", table="orders", mode=mode, **options)

    return make


@pytest.fixture
def rows(spark):
    def make(*places: tuple):
        listed = [(*place, datetime(2013, 1, 1, tzinfo=UTC)) for place in places]
        return spark.createDataFrame(
            listed, "order_id string, amount_eur double, note string, ordered_at timestamp"
        )

    return make


def stored(dataset: DeltaTable) -> list[tuple]:
    return sorted(tuple(row)[:3] for row in dataset.load().collect())


def version(dataset: DeltaTable) -> int:
    return dataset.lakehouse.version(dataset.table)


A, B = ("A", 1.0, "it's"), ("B", None, None)


def test_rows_are_inserted_once_and_a_repeated_write_commits_nothing(orders, rows):
    orders().save(rows(A))
    orders().save(rows(A, B))
    assert stored(orders()) == [A, B]
    before = version(orders())
    orders().save(rows(B, A))
    assert version(orders()) == before


def test_columns_may_stand_in_any_order(orders, rows):
    orders().save(rows(A).select("ordered_at", "note", "order_id", "amount_eur"))
    assert stored(orders()) == [A]


def test_revisions_of_a_key_stand_side_by_side_where_the_contract_tells_them_apart(orders, rows, monkeypatch):
    monkeypatch.setitem(CONTRACTS, "silver.orders", replace(ORDERS, unique=("order_id", "note")))
    for note in ("first", "second", "first"):
        orders().save(rows(("A", 1.0, note)))
    assert stored(orders()) == [("A", 1.0, "first"), ("A", 1.0, "second")]


def test_a_frame_with_other_columns_is_refused_before_anything_is_written(orders, rows):
    with pytest.raises(DatasetError, match="note: missing; noted: unknown"):
        orders().save(rows(A).withColumnRenamed("note", "noted"))
    with pytest.raises(DatasetError, match="amount_eur: must be double, is int"):
        orders().save(rows(A).withColumn("amount_eur", F.lit(1)))
    assert not orders().exists()


@pytest.mark.parametrize(
    ("row", "rule"),
    [
        (("A", -1.0, None), "amount_eur_domain"),
        (("A", 5000.0, None), "note_of_large"),
        (("A", 1.0, "semi;colon"), "note_domain"),
        ((None, 1.0, None), "order_id"),
    ],
)
def test_constraints_are_the_last_wall_also_for_writes_past_the_dataset(orders, rows, row, rule):
    orders().save(rows(B))
    with pytest.raises((PySparkException, Py4JJavaError), match=f"(?i){rule}"):
        rows(row).write.format("delta").mode("append").save(str(orders().lakehouse.path("silver.orders")))
    assert stored(orders()) == [B]


def test_the_constraints_follow_the_rules_once(orders, rows, monkeypatch):
    orders().save(rows(A))
    before = version(orders())
    column = replace(ORDERS.columns[1], rule="amount_eur >= -10")
    relaxed = replace(ORDERS, columns=(ORDERS.columns[0], column, *ORDERS.columns[2:]), rules=())
    monkeypatch.setitem(CONTRACTS, "silver.orders", relaxed)
    orders().save(rows(("C", -5.0, None)))
    # One constraint dropped, one dropped and added, the rules noted, the row.
    assert version(orders()) == before + 5
    orders().load()
    assert version(orders()) == before + 5
    assert stored(orders()) == [A, ("C", -5.0, None)]


def test_a_rule_that_stored_rows_break_is_named_with_the_way_out(orders, rows, monkeypatch):
    orders().save(rows(A))
    monkeypatch.setitem(CONTRACTS, "silver.orders", replace(ORDERS, rules=(Rule("dear", "amount_eur > 9"),)))
    with pytest.raises(DatasetError) as refused:
        orders().save(rows(B))
    assert "test.silver.orders: the rule dear (amount_eur > 9) is new" in str(refused.value)
    assert "kedro refresh --layer silver" in str(refused.value)


def test_a_table_of_another_contract_is_refused_with_the_command_that_mends_it(orders, rows, monkeypatch):
    orders().save(rows(A))
    size = Column("size", "int", "Size", required=False)
    monkeypatch.setitem(CONTRACTS, "silver.orders", ORDERS.extended(size))
    for attempt in (lambda: orders().load(), lambda: orders().save(rows(A).selectExpr("*", "1 AS size"))):
        with pytest.raises(DatasetError, match="build it again with `kedro refresh --layer silver`"):
            attempt()


@pytest.fixture
def notes(spark, address):
    """A fresh dataset over a table that nothing builds again."""

    def make(mode: str = "insert") -> DeltaTable:
        return DeltaTable(**address, schema="ops", table="notes", mode=mode)

    make().save(spark.sql("SELECT 'old' AS note"))
    return make


WORTH = Column("worth", "int", "Points", required=False, rule="worth > 0")
GROWN = replace(NOTES, columns=(WORTH, *NOTES.columns))


def test_a_table_that_nothing_builds_again_takes_new_columns_that_may_be_null(spark, notes, monkeypatch):
    monkeypatch.setitem(CONTRACTS, "ops.notes", GROWN)
    before = version(notes())
    assert [row.asDict() for row in notes("read").load().collect()] == [{"note": "old", "worth": None}]
    assert version(notes()) == before
    notes().save(spark.sql("SELECT 'new' AS note, 1 AS worth"))
    found = {row.note: row.worth for row in notes("read").load().collect()}
    assert found == {"old": None, "new": 1}
    # The columns, the fingerprint, the constraint dropped and added, the rules, the row: and never again.
    assert version(notes()) == before + 6
    notes().load()
    assert version(notes()) == before + 6


def test_new_columns_are_taken_also_where_a_call_was_killed_between_its_commits(spark, notes, monkeypatch):
    spark.sql(f"ALTER TABLE {notes().identifier} ADD COLUMNS (worth int)")
    monkeypatch.setitem(CONTRACTS, "ops.notes", GROWN)
    notes().save(spark.sql("SELECT 'new' AS note, 1 AS worth"))
    assert {row.note: row.worth for row in notes().load().collect()} == {"old": None, "new": 1}


def test_any_other_change_of_such_a_table_is_refused_with_what_to_do(spark, notes, monkeypatch):
    monkeypatch.setitem(CONTRACTS, "ops.notes", NOTES.extended(replace(WORTH, required=True)))
    before = version(notes())
    for mode in ("insert", "read"):
        with pytest.raises(
            DatasetError, match=r"test\.ops\.notes was .* move the table away .*docs/runbook\.md"
        ):
            notes(mode).load()
    assert version(notes()) == before


def test_replacing_touches_the_days_of_the_frame_and_no_other(spark, address):
    days = DeltaTable(**address, schema="gold", table="days", mode="replace")

    def sums(*rows):
        return spark.createDataFrame(rows, "day string, shop string, sum_eur double").selectExpr(
            "CAST(day AS date) AS day", "shop", "sum_eur"
        )

    days.save(sums(("2013-01-01", "a", 1.0), ("2013-01-02", "a", 2.0), ("2013-01-02", "b", 3.0)))
    days.save(sums(("2013-01-02", "a", 9.0)))
    left = sorted((str(row.day), row.shop, row.sum_eur) for row in days.load().collect())
    assert left == [("2013-01-01", "a", 1.0), ("2013-01-02", "a", 9.0)]


def test_a_table_begun_anew_is_empty_under_the_codes_contract_and_its_former_versions_stay_readable(
    spark, address, monkeypatch
):
    def days() -> DeltaTable:
        return DeltaTable(**address, schema="gold", table="days", mode="replace")

    days().begin_anew()
    assert not days().exists()
    row = "SELECT DATE'2013-01-01' AS day, 'A' AS shop, 1D AS sum_eur"
    days().save(spark.sql(row))
    scored = version(days())
    columns = (DAYS.columns[0], Column("till", "int", "Till", rule="till > 0"), DAYS.columns[2])
    monkeypatch.setitem(CONTRACTS, "gold.days", replace(DAYS, key=("day", "till"), columns=columns))
    days().begin_anew()
    assert version(days()) == scored + 1
    assert days().load().collect() == []
    days().save(spark.sql("SELECT DATE'2013-01-01' AS day, 7 AS till, 2D AS sum_eur"))
    with pytest.raises(DatasetError, match="till_domain"):
        days().save(spark.sql("SELECT DATE'2013-01-01' AS day, 0 AS till, 2D AS sum_eur"))
    assert days().load_version(scored).collect() == spark.sql(row).collect()
    assert [row.till for row in days().load().collect()] == [7]
    made = spark.sql(f"DESCRIBE DETAIL {days().identifier}").collect()[0]
    assert made["partitionColumns"] == ["day"]


def test_the_first_rows_of_a_gold_table_begun_anew_lie_in_files_by_day(spark, address, monkeypatch):
    contract = replace(ORDERS, table="gold.orders")
    monkeypatch.setitem(CONTRACTS, "gold.orders", contract)
    orders = DeltaTable(**address, schema="gold", table="orders", mode="insert")
    hours = spark.range(0, 96, 1, 4).selectExpr(
        *("CAST(id AS string) AS order_id", "1D AS amount_eur", "'x' AS note"),
        "timestampadd(HOUR, CAST(id * 37 % 96 AS int), TIMESTAMP'2013-01-01') AS ordered_at",
    )
    laid_out = []
    for _ in range(2):
        orders.save(hours)
        laid_out.append(hours_by_file(orders))
        orders.begin_anew()
    assert laid_out[0] == laid_out[1]
    assert all(latest - first < 96 for first, latest in laid_out[0])


def hours_by_file(table: DeltaTable) -> list[tuple[int, int]]:
    hour = F.floor(F.unix_seconds("ordered_at") / 3600)
    found = table.load().groupBy(F.input_file_name()).agg(F.min(hour), F.max(hour)).collect()
    return sorted((first, latest) for _, first, latest in found)


def test_nodes_that_work_side_by_side_may_write(spark, address, orders, rows):
    days = DeltaTable(**address, schema="gold", table="days", mode="replace")
    sums = spark.sql("SELECT DATE'2013-01-01' AS day, 'A' AS shop, 1D AS sum_eur")
    for _ in range(2):
        with ThreadPoolExecutor(2) as threads:
            list(threads.map(DeltaTable.save, (orders(), days), (rows(A), sums)))
    assert stored(orders()) == [A]
    assert days.load().count() == 1
    assert version(days) == 2


def test_nodes_that_meet_a_table_with_new_rules_side_by_side_change_it_once(orders, rows, monkeypatch):
    orders().save(rows(A))
    before = version(orders())
    monkeypatch.setitem(CONTRACTS, "silver.orders", replace(ORDERS, rules=(Rule("dear", "amount_eur > 0"),)))
    table = orders()
    with ThreadPoolExecutor(4) as threads:
        found = list(threads.map(lambda _: table.load().count(), range(4)))
    assert found == [1] * 4
    # One constraint dropped, one dropped in vain and added, the rules noted.
    assert version(orders()) == before + 4


def test_a_replaced_day_is_one_file_however_many_tasks_made_it(spark, address):
    days = DeltaTable(**address, schema="gold", table="days", mode="replace")
    shops = spark.range(0, 90, 1, 3).selectExpr(
        "date_add(DATE'2013-01-01', CAST(id % 2 AS int)) AS day",
        "CAST(id AS string) AS shop",
        "0.5D AS sum_eur",
    )
    days.save(shops)
    assert days.load().count() == 90
    assert spark.sql(f"DESCRIBE DETAIL {days.identifier}").collect()[0]["numFiles"] == 2


def test_a_read_only_name_refuses_to_write(orders, rows):
    with pytest.raises(DatasetError, match="read-only under this name: save through silver_orders"):
        orders(mode="read").save(rows(A))


def test_a_missing_table_is_an_error_or_an_empty_frame_as_asked(orders, tmp_path):
    with pytest.raises(DatasetError, match=r"Table test\.silver\.orders does not exist: run the pipeline"):
        orders().load()
    empty = orders(mode="read", missing="empty").load()
    assert empty.columns == list(ORDERS.names)
    assert empty.collect() == []
    # What a killed creation leaves behind is no table.
    (tmp_path / "test" / "silver" / "orders" / "_delta_log").mkdir(parents=True)
    assert not orders().exists()


def test_a_table_is_made_where_a_killed_creation_left_a_folder(orders, rows, tmp_path):
    (tmp_path / "test" / "silver" / "orders" / "_delta_log").mkdir(parents=True)
    orders().save(rows(A))
    assert stored(orders()) == [A]


def test_a_table_without_a_contract_is_named_with_those_that_exist(spark, address, rows):
    with pytest.raises(
        DatasetError, match=r"no contract for silver\.sales; it has gold\.days, ops\.notes, silver\.orders"
    ):
        DeltaTable(**address, schema="silver", table="sales", missing="empty").load()


def stream(spark, folder: Path):
    return spark.readStream.schema(
        "order_id string, amount_eur double, note string, ordered_at timestamp"
    ).json(str(folder))


def test_a_stream_is_appended_exactly_once_also_when_its_own_commit_was_lost(spark, orders, tmp_path):
    landing, checkpoints = tmp_path / "landing", tmp_path / "checkpoints"
    landing.mkdir()
    line = '{"order_id":"%s","amount_eur":1.0,"note":"x","ordered_at":"2013-01-01T00:00:00Z"}\n'
    for number, order in enumerate("AB"):
        landing.joinpath(f"{number}.json").write_text(line % order)
        orders("append", checkpoints=str(checkpoints)).save(stream(spark, landing))
        assert [row[0] for row in stored(orders())] == list("AB")[: number + 1]
    commits = checkpoints / "silver/orders/commits"
    for file in (commits / "1", commits / ".1.crc"):
        file.unlink(missing_ok=True)
    before = version(orders())
    orders("append", checkpoints=str(checkpoints)).save(stream(spark, landing))
    assert [row[0] for row in stored(orders())] == ["A", "B"]
    assert version(orders()) == before


def test_a_stream_without_a_place_for_its_checkpoints_is_refused(spark, orders, tmp_path):
    with pytest.raises(
        DatasetError, match=r"silver\.orders takes no stream: name the folder of its checkpoints"
    ):
        orders("append").save(stream(spark, tmp_path))


def test_versions_are_kept_as_long_as_models_name_them(orders, rows, spark):
    orders().save(rows(A))
    properties = {
        row.key: row.value for row in spark.sql(f"SHOW TBLPROPERTIES {orders().identifier}").collect()
    }
    assert properties["delta.logRetentionDuration"] == "interval 3650 days"
    assert properties["delta.enableChangeDataFeed"] == "true"
