"""Quarantined lines come back once a rule is corrected, and every layer can be built again."""

import json
from dataclasses import replace
from types import SimpleNamespace

import pytest

from lakehouse_ml.datasets.refresh import forget
from lakehouse_ml.datasets.session import get_spark
from lakehouse_ml.lakehouse.contract import Column, Rule
from lakehouse_ml.lakehouse.sources import bronze_contract, source_contract
from lakehouse_ml.lakehouse.tables import TABLES
from lakehouse_ml.pipelines import ingestion, maintenance, replay_quarantine
from lakehouse_ml.pipelines.ingestion.open_run import IngestionError
from project_builders import Project

STRICT = source_contract(
    "readings",
    grain="reading",
    key=("sensor",),
    fields=(
        Column("sensor", "string", "Name"),
        Column("level", "double", "Level", rule="level BETWEEN 0 AND 10"),
    ),
    rules=(Rule("whole_sensor", "sensor NOT LIKE '%?%'", action="fail"),),
)
RELAXED = replace(
    STRICT,
    columns=(STRICT.columns[0], replace(STRICT.columns[1], rule="level < 100"), *STRICT.columns[2:]),
    rules=(),
)
CONTRACTS = {contract.table: contract for contract in (bronze_contract("readings"), STRICT, *TABLES)}
COLUMNS = ("file", "sequence", "lines", "accepted", "duplicates", "quarantined", "status")

pytestmark = pytest.mark.loop


def reading(sensor: str, level: float) -> str:
    return json.dumps({"sensor": sensor, "level": level, "published_at": "2013-01-01T00:00:00Z"})


def under(contract):
    CONTRACTS["silver.readings"] = contract
    return SimpleNamespace(sources=(contract,))


@pytest.fixture(scope="module")
def told(spark, tmp_path_factory):
    """A project's story: what its tables held after each chapter."""
    folder = tmp_path_factory.mktemp("replay")
    project = Project(folder, under(STRICT), contracts=f"{__name__}.CONTRACTS")
    yield {**under_the_strict_rule(project), **under_the_relaxed_rule(project), **built_again(project)}
    under(STRICT)


def under_the_strict_rule(project: Project) -> dict:
    project.land("readings/2013-01-01.jsonl.gz", reading("a", 5), reading("b", 50), reading("c", 500), "{")
    project.land("readings/2013-01-02.jsonl.gz", reading("a", 5), reading("b", 50), reading("d", 1))
    project.run(ingestion)
    story = {"ingested": chapter(project)}
    project.land("readings/2013-01-03.jsonl.gz", reading("e", 5), reading("f?", 5))
    with pytest.raises(IngestionError) as story["failed"]:
        project.run(ingestion)
    story["after failure"] = chapter(project)
    project.run(ingestion)
    return story | {"next run": chapter(project)}


def under_the_relaxed_rule(project: Project) -> dict:
    project.use_case = under(RELAXED)
    story = {}
    for name in ("replayed", "replayed twice"):
        project.run(replay_quarantine)
        story[name] = chapter(project)
    return story


def built_again(project: Project) -> dict:
    names = [table.replace(".", "_") for table in CONTRACTS if table.startswith(("silver.", "quarantine."))]
    forget(project.lakehouse, "silver", [project.catalog()[name] for name in names])
    story = {"forgotten": project.versions()}
    project.run(ingestion)
    story["built again"] = chapter(project)
    catalog = project.run(maintenance, params={"maintenance": {"retain_hours": 168}})
    kept = {
        table: properties(project, table)["delta.deletedFileRetentionDuration"]
        for table in ("bronze.readings", "silver.readings", "quarantine.lines")
    }
    story |= {"maintained": chapter(project), "sizes": catalog["reporting_table_sizes"].load(), "kept": kept}
    project.run(ingestion)
    return story | {"after maintenance": chapter(project)}


def properties(project: Project, table: str) -> dict:
    rows = get_spark().sql(f"SHOW TBLPROPERTIES {project.lakehouse.table(table)}").collect()
    return {row["key"]: row["value"] for row in rows}


def chapter(project: Project) -> dict:
    return {
        "silver": project.rows("silver.readings", "sensor", "level"),
        "quarantine": project.rows("quarantine.lines", "_file", "_line_no", "broken_rules"),
        "log": [(file[17:20], *rest) for file, *rest in project.rows("ops.ingestion_log", *COLUMNS)],
        "broken": [row[0] for row in project.rows("ops.ingestion_log", "broken_rules")],
        "versions": project.versions("silver", "quarantine", "bronze") | project.versions("ops"),
    }


def test_at_first_the_strict_rule_holds_lines_back(told):
    assert told["ingested"]["silver"] == [("a", 5.0), ("d", 1.0)]
    assert told["ingested"]["log"] == [("01.", 1, 4, 1, 0, 3, "ok"), ("02.", 1, 3, 1, 1, 1, "ok")]


def test_a_file_that_breaks_a_rule_with_the_action_fail_is_held_back_whole_and_the_run_says_so(told):
    assert "readings/2013-01-03.jsonl.gz" in str(told["failed"].value)
    assert "replay_quarantine" in str(told["failed"].value)
    assert told["after failure"]["silver"] == told["ingested"]["silver"]
    assert told["after failure"]["log"][2] == ("03.", 1, 2, 0, 0, 2, "failed")


def test_the_next_run_goes_on_without_the_failed_file(told):
    assert told["next run"]["log"] == told["after failure"]["log"]
    assert told["next run"]["silver"] == told["after failure"]["silver"]


def test_the_corrected_rule_brings_lines_back_in_balance(told):
    assert told["replayed"]["silver"] == [("a", 5.0), ("b", 50.0), ("d", 1.0), ("e", 5.0), ("f?", 5.0)]
    assert told["replayed"]["log"] == [
        ("01.", 1, 4, 1, 0, 3, "ok"),
        ("01.", 2, 4, 2, 0, 2, "ok"),
        ("02.", 1, 3, 1, 1, 1, "ok"),
        ("02.", 2, 3, 1, 2, 0, "ok"),
        ("03.", 1, 2, 0, 0, 2, "failed"),
        ("03.", 2, 2, 2, 0, 0, "ok"),
    ]


def test_what_is_still_held_back_is_named_anew(told):
    assert {"json_object": 1, "level_domain": 1} in told["replayed"]["broken"]


def test_a_second_replay_changes_nothing(told):
    assert told["replayed twice"] == told["replayed"]


def test_forgetting_silver_leaves_bronze_and_nothing_that_derives_from_it(told):
    assert {table.split(".")[0] for table in told["forgotten"]} == {"bronze", "ops"}


def test_silver_built_again_is_the_replayed_one_in_balance(told):
    assert told["built again"]["silver"] == told["replayed"]["silver"]
    assert told["built again"]["log"] == [
        ("01.", 1, 4, 2, 0, 2, "ok"),
        ("02.", 1, 3, 1, 2, 0, "ok"),
        ("03.", 1, 2, 2, 0, 0, "ok"),
    ]
    assert [row[1] for row in told["built again"]["quarantine"]] == [3, 4]


def test_maintenance_changes_no_row(told):
    for what in ("silver", "quarantine", "log"):
        assert told["maintained"][what] == told["built again"][what]


def test_each_table_says_how_long_removed_files_are_kept_so_that_no_platform_removes_them(told):
    assert told["kept"] == {
        "bronze.readings": "interval 3650 days",
        "silver.readings": "interval 3650 days",
        "quarantine.lines": "interval 168 hours",
    }


def test_a_run_after_maintenance_finds_nothing_new(told):
    assert told["after maintenance"]["silver"] == told["maintained"]["silver"]
    assert told["after maintenance"]["log"] == told["maintained"]["log"]


def test_sizes_are_told_the_largest_first(told):
    sizes = told["sizes"]
    assert {"table", "files", "size_bytes"} == set(sizes[0])
    assert [row["size_bytes"] for row in sizes] == sorted((row["size_bytes"] for row in sizes), reverse=True)
    assert "silver.readings" in {row["table"] for row in sizes}
