from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lakehouse_ml.flights import CONTRACTS
from lakehouse_ml.lakehouse.contract import Column, Contract, ContractError, Rule, by_table, sql_text
from lakehouse_ml.lakehouse.sources import record_fields, source_contract

ORDERS = Contract(
    table="silver.orders",
    grain="order",
    key=("order_id",),
    columns=(
        Column("order_id", "string", "Number of the order"),
        Column("amount_eur", "double", "Total", rule="amount_eur >= 0", unit="euro"),
        Column("note", "string", "The customer's words", required=False, rule="length(note) < 100"),
    ),
    rules=(
        Rule("note_of_large_orders", "amount_eur < 1000 OR note IS NOT NULL"),
        Rule("usual_amount", "amount_eur < 500", action="warn"),
        Rule("one_currency", "note NOT LIKE '%USD%'", action="fail"),
    ),
    day="ordered_at",
)
TYPES = {"order_id": "string", "amount_eur": "double", "note": "string"}


def test_a_frame_that_keeps_the_contract_passes_in_any_order():
    ORDERS.check_columns(dict(reversed(TYPES.items())))


def test_all_differences_are_told_at_once():
    with pytest.raises(ContractError) as refused:
        ORDERS.check_columns({"order_id": "int", "note": "string", "colour": "string", "size": "int"})
    assert str(refused.value) == (
        "silver.orders does not keep its contract: amount_eur: missing; colour: unknown; size: unknown; "
        "order_id: must be string, is int"
    )


@given(st.dictionaries(st.sampled_from([*TYPES, "colour", "size"]), st.sampled_from(["string", "double"])))
def test_columns_pass_exactly_when_they_are_those_of_the_contract(types):
    wrong = {name for name in {*types, *TYPES} if types.get(name) != TYPES.get(name)}
    if not wrong:
        ORDERS.check_columns(types)
        return
    with pytest.raises(ContractError) as refused:
        ORDERS.check_columns(types)
    assert all(f"{name}: " in str(refused.value) for name in wrong)


def test_every_rule_comes_from_one_definition():
    assert {rule.name: rule.sql for rule in ORDERS.row_rules} == {
        "order_id_present": "`order_id` IS NOT NULL",
        "amount_eur_present": "`amount_eur` IS NOT NULL",
        "amount_eur_domain": "`amount_eur` IS NULL OR (amount_eur >= 0)",
        "note_domain": "`note` IS NULL OR (length(note) < 100)",
        "note_of_large_orders": "amount_eur < 1000 OR note IS NOT NULL",
        "usual_amount": "amount_eur < 500",
        "one_currency": "note NOT LIKE '%USD%'",
    }


def test_the_last_wall_holds_what_rejects_rows_and_nothing_that_only_warns():
    assert list(ORDERS.checks) == [
        "amount_eur_domain",
        "note_domain",
        "note_of_large_orders",
        "one_currency",
    ]


def test_a_rule_of_any_name_is_a_check():
    gated = replace(ORDERS, rules=(Rule("gate_present", "note IS NOT NULL"),))
    assert gated.checks["gate_present"] == "note IS NOT NULL"
    assert "order_id_present" not in gated.checks


SIZE, COLOUR = (
    Column("size", "int", "Size", required=False),
    Column("colour", "string", "Hue", required=False),
)
STORED = {column.name: column.type for column in ORDERS.columns}


@pytest.mark.parametrize("place", range(len(ORDERS.columns) + 1))
@pytest.mark.parametrize("given", [{}, {"size": "int"}, {"colour": "string", "size": "int"}])
def test_new_columns_that_may_be_null_are_growth_wherever_they_stand_and_however_many_were_added(
    place, given
):
    columns = (*ORDERS.columns[:place], SIZE, *ORDERS.columns[place:], COLOUR)
    grown = replace(ORDERS, columns=columns)
    assert grown.grew_from({**STORED, **given}, ORDERS.fingerprint)


@pytest.mark.parametrize(
    ("change", "stored"),
    [
        ({"columns": (*ORDERS.columns, replace(SIZE, required=True))}, STORED),
        ({"columns": (*ORDERS.columns, SIZE), "key": ("note",)}, STORED),
        ({"columns": (*ORDERS.columns[:2], SIZE)}, STORED),
        ({"columns": (*reversed(ORDERS.columns), SIZE)}, STORED),
        ({"columns": (*ORDERS.columns, SIZE)}, {**STORED, "size": "string"}),
        ({"columns": (*ORDERS.columns, SIZE)}, {}),
    ],
)
def test_any_other_change_is_no_growth(change, stored):
    assert not replace(ORDERS, **change).grew_from(stored, ORDERS.fingerprint)


@pytest.mark.parametrize(
    "change",
    [
        {"table": "silver.other"},
        {"key": ("order_id", "note")},
        {"unique": ("note",)},
        {"day": "shipped_at"},
        {"columns": ORDERS.columns[:2]},
        {"columns": tuple(reversed(ORDERS.columns))},
        {"columns": (*ORDERS.columns[:2], replace(ORDERS.columns[2], required=True))},
        {"columns": (*ORDERS.columns[:2], replace(ORDERS.columns[2], type="int"))},
    ],
)
def test_what_a_stored_table_must_share_changes_the_fingerprint(change):
    assert replace(ORDERS, **change).fingerprint != ORDERS.fingerprint


@pytest.mark.parametrize(
    "change",
    [
        {"grain": "sale"},
        {"owner": "somebody"},
        {"rules": ()},
        {"columns": (*ORDERS.columns[:2], replace(ORDERS.columns[2], rule=None, description="Words"))},
    ],
)
def test_rules_and_words_leave_the_fingerprint_since_they_change_in_place(change):
    assert replace(ORDERS, **change).fingerprint == ORDERS.fingerprint


@given(st.text(alphabet="a'\\\"`;-"))
def test_any_prose_is_one_sql_literal(text):
    literal = sql_text(text)
    inner = literal[1:-1]
    assert inner.replace("\\\\", "").replace("\\'", "").count("'") == 0
    assert inner.replace("\\\\", "\0").replace("\\'", "'").replace("\0", "\\") == text


def test_an_unknown_column_is_refused_with_those_that_exist():
    with pytest.raises(ContractError, match="no column colour; it has order_id, amount_eur, note"):
        ORDERS.column("colour")


def test_a_table_has_one_contract():
    with pytest.raises(ContractError, match=r"silver\.orders is defined twice"):
        by_table([ORDERS, replace(ORDERS, grain="other")])


@pytest.mark.parametrize("name", ["line", "broken_rules", "warnings", "_file"])
def test_a_source_cannot_take_a_name_that_ingestion_needs(name):
    with pytest.raises(ContractError, match=f"needs the name {name}; rename the field"):
        source_contract("orders", "order", (name,), (Column(name, "string", "Taken"),))


def test_record_fields_leave_out_what_ingestion_adds():
    names = [field.name for field in record_fields(CONTRACTS["silver.airlines"])]
    assert names == ["carrier", "name", "published_at"]


@pytest.mark.parametrize("table", sorted(CONTRACTS))
def test_keys_and_days_of_every_table_are_columns_of_it_that_are_never_missing(table):
    contract = CONTRACTS[table]
    for name in (*contract.key, *contract.row_key, *filter(None, [contract.day])):
        assert contract.column(name).required, (
            f"{table}.{name} must be required: a missing key matches nothing"
        )


def test_revisions_of_a_record_stand_side_by_side():
    for contract in CONTRACTS.values():
        if contract.table.startswith("silver."):
            assert contract.row_key == ("_revision",)
