"""Declarative pipelines keep and drop the same rows as ingestion, by rules of the same names and SQL."""

import runpy
from collections import Counter
from dataclasses import replace
from random import Random

import pytest
from pyspark import pipelines
from pyspark.pipelines.graph_element_registry import graph_element_registration_context
from pyspark.sql import DataFrame, SparkSession

from declarative import EXPECTATIONS, PLATFORM, Graph, UpdateError
from lakehouse_ml.deploy.expectations import ExpectationsError, declare, expectations
from lakehouse_ml.flights import USE_CASE
from lakehouse_ml.lakehouse.contract import Contract, Rule
from lakehouse_ml.lakehouse.quality import accepted, checked_lines, line_rules, rejected
from lakehouse_ml.use_case import landed_sources
from line_builders import GOOD, LINES, READINGS, good, landed
from processes import ROOT

CONTRACTS = {contract.name: contract for contract in (*landed_sources(USE_CASE), READINGS)}


@pytest.mark.parametrize("contract", CONTRACTS.values(), ids=CONTRACTS)
def test_every_rule_is_an_expectation_of_its_name_and_sql(contract: Contract) -> None:
    found = expectations(contract)
    rules = line_rules(contract)
    assert [*found] == ["expect_all", "expect_all_or_drop", "expect_all_or_fail"]
    assert sum(map(len, found.values())) == len(rules) == len({rule.name for rule in rules})
    for rule in rules:
        decorator = {"warn": "expect_all", "quarantine": "expect_all_or_drop", "fail": "expect_all_or_fail"}
        assert found[decorator[rule.action]][rule.name] == f"coalesce(({rule.sql}), false)"
    assert {rule.name for rule in contract.rules} <= {rule.name for rule in rules}


def test_the_action_chooses_the_decorator() -> None:
    strict = replace(READINGS, rules=(*READINGS.rules, Rule("sane", "count < 1000", action="fail")))
    found = expectations(strict)
    assert found["expect_all"] == {"usual_count": "coalesce((count < 50), false)"}
    assert found["expect_all_or_fail"] == {"sane": "coalesce((count < 1000), false)"}
    assert "level_of_busy" in found["expect_all_or_drop"]


def declared(contracts: list[Contract], lines: DataFrame) -> Graph:
    graph = Graph()
    with graph_element_registration_context(graph):
        declare(PLATFORM, contracts, lambda _: lines)
    return graph


def generated(seed: int, count: int) -> list[str]:
    """Lines with fields and values at random, most of them damaged in some way."""
    draw = Random(seed)
    values = [
        "A",
        "a",
        "",
        None,
        3,
        -1,
        60,
        150,
        2**31,
        0.5,
        2.5,
        "NaN",
        True,
        [1],
        {"a": 1},
        "2013-01-01T10:00:00Z",
    ]
    found = []
    for _ in range(count):
        changes = {name: draw.choice(values) for name in draw.sample(sorted(GOOD), draw.randrange(3))}
        line = good(**changes)
        found.append(line[: draw.randrange(len(line))] if draw.random() < 0.1 else line)
    return found


@pytest.fixture(scope="module")
def updated(spark: SparkSession) -> tuple[Graph, DataFrame]:
    """A pipeline after its update, and the same lines as ingestion checks them."""
    lines = landed(spark, [*(line for line, _ in LINES.values()), *generated(7, 300)])
    lines = lines.union(landed(spark, ["no gzip"], "readings/c.jsonl.gz", first=0))
    lines = lines.union(landed(spark, [None], "readings/d.jsonl.gz", first=0)).localCheckpoint()
    graph = declared([READINGS], lines)
    graph.update(spark)
    return graph, checked_lines(lines, READINGS).localCheckpoint()


def places(frame: DataFrame) -> list[tuple[str, int]]:
    return sorted((row["_file"], row["_line_no"]) for row in frame.select("_file", "_line_no").collect())


def test_the_same_rows_are_kept(spark: SparkSession, updated: tuple[Graph, DataFrame]) -> None:
    ours = accepted(updated[1], READINGS)
    theirs = spark.read.table("readings")
    assert places(theirs) == places(ours)
    assert 20 < ours.count() < 200
    assert theirs.schema == ours.schema
    # As text, since maps cannot be compared.
    told = [sorted(row[0] for row in f.selectExpr("to_json(struct(*))").collect()) for f in (theirs, ours)]
    assert told[0] == told[1]


def test_the_same_rows_are_dropped_and_quarantined(
    spark: SparkSession, updated: tuple[Graph, DataFrame]
) -> None:
    checked = updated[1]
    assert places(spark.read.table("quarantined_readings")) == places(rejected(checked, "readings"))
    typed = set(places(spark.read.table("typed_readings")))
    assert typed == set(places(checked.where("size(broken_rules) = 0")))


def test_the_same_rules_are_broken_as_often(spark: SparkSession, updated: tuple[Graph, DataFrame]) -> None:
    # Of a line that is no record ingestion tells that alone; the platform tests every expectation on it.
    records = updated[1].where("_line_no > 0 AND NOT array_contains(broken_rules, 'json_object')")
    lines = records.selectExpr("line", "_file", "_line_no", "_bronze_version AS _commit_version")
    graph = declared([READINGS], lines)
    graph.update(spark)
    told = (name for row in records.collect() for name in (*row["broken_rules"], *row["warnings"]))
    # Unknown and missing fields are warned of by name, and no rules.
    assert graph.failed["typed_readings"] == Counter(name for name in told if ":" not in name)
    assert {"level_of_busy", "usual_count", "unique_fields", "count_type"} <= set(
        graph.failed["typed_readings"]
    )


def test_a_rule_that_must_hold_stops_the_update(spark: SparkSession) -> None:
    strict = replace(READINGS, rules=(Rule("level_of_busy", "count < 100 OR level > 1", action="fail"),))
    with pytest.raises(UpdateError, match="typed_readings: level_of_busy"):
        declared([strict], landed(spark, [good(), good(count=200)])).update(spark)
    declared([strict], landed(spark, [good()])).update(spark)
    assert spark.read.table("readings").count() == 1


def test_pipelines_without_expectations_are_refused() -> None:
    with pytest.raises(ExpectationsError, match="lack expect_all, expect_all_or_drop, expect_all_or_fail"):
        declare(pipelines, [READINGS], lambda _: None)


def test_the_source_file_declares_silver_and_quarantine_of_every_source(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name, decorator in EXPECTATIONS.items():
        monkeypatch.setattr(pipelines, name, decorator, raising=False)
    graph = Graph()
    with graph_element_registration_context(graph):
        runpy.run_path(str(ROOT / "deploy/declarative_pipeline.py"))
    sources = {contract.name for contract in landed_sources(USE_CASE)}
    assert set(graph.outputs) == {
        f"{kind}{name}" for kind in ("typed_", "", "quarantined_") for name in sources
    }
    for name in sources:
        assert graph.flows[f"typed_{name}"].func.expectations["expect_all_or_drop"]
