"""Ingestion as a whole on a slice of the real feed: clean, messy, killed, raced."""

import json
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pandas as pd
import pytest
from kedro.framework.hooks import hook_impl
from kedro.io import DatasetError
from kedro.pipeline import Node, Pipeline

from lakehouse_ml.flights import CONTRACTS
from lakehouse_ml.flights.feed import Mess, Rates
from lakehouse_ml.lakehouse import landing
from lakehouse_ml.lakehouse.landing import LandedFile, LandingError
from lakehouse_ml.pipelines import ingestion
from lakehouse_ml.pipelines.ingestion.clean import clean as clean_lines
from lakehouse_ml.pipelines.ingestion.open_run import IngestionError
from line_builders import landed
from project_builders import Project, records_of_the_year

SOURCES = ("movements", "weather", "airlines")
LAST = pd.Timestamp("2013-01-03", tz="UTC")
EVERYTHING = "2013-01-12"
LAST_OF_AIRLINES = pd.Timestamp("2013-01-02").to_pydatetime()
# Both sources' first day arrives after their second.
MESS = Mess(0, Rates(0.02, 0.02, 0.02, 0.02, 0.03, 0.03, 0.04, late_file=0.5, odd_file_days=2))
DATA = ("bronze", "silver", "quarantine")


def use_case_of(*sources: str) -> SimpleNamespace:
    return SimpleNamespace(sources=tuple(CONTRACTS[f"silver.{source}"] for source in sources))


def slice_of_the_year() -> dict[str, pd.DataFrame]:
    """Every fifth record of the first days."""
    year = records_of_the_year()
    return {source: records[records["published_at"] < LAST].iloc[::5] for source, records in year.items()}


def project_at(tmp_path_factory, name: str, sources: tuple[str, ...] = SOURCES) -> Project:
    return Project(tmp_path_factory.mktemp(name), use_case_of(*sources))


def log_of(project: Project) -> dict[str, dict]:
    return {row["file"]: row.asDict() for row in project.table("ops.ingestion_log").collect()}


def is_balanced(row: dict) -> bool:
    return row["lines"] == row["accepted"] + row["duplicates"] + row["quarantined"]


@pytest.fixture(scope="module")
def clean(spark, tmp_path_factory) -> Project:
    project = project_at(tmp_path_factory, "clean")
    project.play(EVERYTHING, records=slice_of_the_year())
    project.run(ingestion)
    return project


@pytest.fixture(scope="module")
def messy(spark, tmp_path_factory) -> Project:
    """In two runs, so that re-sends and corrections meet what silver holds already."""
    project = project_at(tmp_path_factory, "messy")
    project.play("2013-01-03", mess=MESS, records=slice_of_the_year())
    project.run(ingestion)
    project.play(EVERYTHING, mess=MESS, records=slice_of_the_year())
    project.run(ingestion)
    return project


def test_the_clean_feed_is_in_silver_to_the_record(clean):
    for source, records in slice_of_the_year().items():
        if source in SOURCES:
            assert clean.table(f"silver.{source}").count() == len(records)


def test_every_file_is_on_record_in_balance(clean):
    log = log_of(clean)
    assert set(log) == {f"{path.parent.name}/{path.name}" for path in clean.landing.glob("*/*")}
    assert all(is_balanced(row) and row["status"] == "ok" and row["lines"] > 0 for row in log.values())
    assert sum(row["lines"] for row in log.values()) == sum(
        len(records) for source, records in slice_of_the_year().items() if source in SOURCES
    )


def test_silver_tells_file_line_and_bronze_version_of_each_record(clean):
    lines = {(row["_file"], row["_line_no"]): row["line"] for row in clean.table("bronze.airlines").collect()}
    for row in clean.table("silver.airlines").collect():
        assert json.loads(lines[row["_file"], row["_line_no"]])["carrier"] == row["carrier"]
        assert row["_bronze_version"] == 1


def test_the_run_is_opened_at_the_end_of_the_newest_period_with_the_versions_of_its_inputs(clean):
    run = clean.catalog()["run"].load()
    assert run.run_id == "20130103T0000-1"
    assert run.as_of == LAST.to_pydatetime()
    assert run.versions == clean.versions("bronze", "silver")


def test_progress_names_what_is_contained(clean):
    rows = clean.rows("ops.progress", "consumer", "table", "version")
    assert rows == [("ingestion", f"bronze.{source}", 1) for source in sorted(SOURCES)]


def test_running_again_adds_nothing_and_commits_nothing_but_the_run(clean):
    before = clean.versions()
    clean.run(ingestion)
    assert clean.versions() == before | {"ops.runs": before["ops.runs"] + 1}


@pytest.mark.loop
def test_the_messy_feed_is_the_clean_one_but_for_the_damaged_records(clean, messy):
    damages = json.loads((messy.landing / "_manifest.json").read_text())["records"]
    for source in SOURCES:
        kinds = Counter(damage["effect"] for damage in damages if damage["source"] == source)
        sent, kept = clean.content(f"silver.{source}"), messy.content(f"silver.{source}")
        assert (sent - kept).total() == kinds["lost"]
        assert (kept - sent).total() == kinds["added"]
        assert kinds["lost"] > 0 or source == "airlines"


@pytest.mark.loop
def test_the_lost_and_the_added_are_those_of_the_manifest(messy):
    damages = json.loads((messy.landing / "_manifest.json").read_text())["records"]
    lost = {
        (f"{damage['source']}/{damage['file']}", damage["line"])
        for damage in damages
        if damage["effect"] == "lost" and damage["source"] in SOURCES
    }
    assert set(messy.rows("quarantine.lines", "_file", "_line_no")) >= lost
    odd = set(messy.rows("quarantine.lines", "_file", "_line_no")) - lost
    assert odd
    assert {line for _, line in odd} == {0}


@pytest.mark.loop
def test_odd_and_late_files_are_on_record_and_every_line_is_accounted_for(messy):
    log = log_of(messy)
    assert set(log) == {f"{path.parent.name}/{path.name}" for path in messy.landing.glob("*/*")}
    assert all(is_balanced(row) for row in log.values())
    assert {row["status"] for row in log.values()} == {"ok", "empty", "unreadable"}
    assert sum(row["duplicates"] for row in log.values()) > 0
    assert any("unknown_field:gate" in row["warnings"] for row in log.values())


@pytest.fixture
def airlines(spark, tmp_path) -> Project:
    return Project(tmp_path, use_case_of("airlines"))


def airline(carrier: str, name: str = "Air") -> str:
    return json.dumps({"carrier": carrier, "name": name, "published_at": "2013-01-01T00:00:00Z"})


def test_files_without_lines_and_files_that_are_not_gzip_are_on_record(airlines):
    airlines.land_bytes("airlines/2013-01-01.jsonl.gz", b"")
    airlines.run(ingestion)
    assert airlines.rows("ops.ingestion_log", "lines", "status") == [(0, "empty")]
    airlines.land_bytes("airlines/2013-01-02.jsonl.gz", b"plain text")
    airlines.land("airlines/2013-01-03.jsonl.gz")
    airlines.land("airlines/2013-01-04.jsonl.gz", airline("AA"), "", airline("AA"))
    airlines.run(ingestion)
    columns = ("file", "lines", "accepted", "duplicates", "quarantined", "status")
    assert [(file[18:20], *rest) for file, *rest in airlines.rows("ops.ingestion_log", *columns)] == [
        ("1.", 0, 0, 0, 0, "empty"),
        ("2.", 1, 0, 0, 1, "unreadable"),
        ("3.", 0, 0, 0, 0, "empty"),
        ("4.", 3, 1, 1, 1, "ok"),
    ]
    rejected = airlines.rows("quarantine.lines", "_line_no", "line", "broken_rules")
    assert rejected == [(0, "plain text", ["readable_file"]), (2, "", ["json_object"])]


class Landing:
    """Lands files while the run works."""

    def __init__(self, project: Project) -> None:
        self.project = project

    @hook_impl
    def before_node_run(self, node) -> None:
        if node.name == "ingest_airlines":
            self.project.land("airlines/2013-01-02.jsonl.gz", airline("BB"))
        if node.name == "clean_airlines":
            self.project.land("airlines/2013-01-03.jsonl.gz", airline("CC"))


def test_files_that_land_while_the_run_works_are_taken_once_by_it_or_by_the_next(airlines):
    airlines.land("airlines/2013-01-01.jsonl.gz", airline("AA"))
    airlines.run(ingestion, hooks=[Landing(airlines)])
    columns = ("file", "lines", "accepted", "status")
    taken = [("airlines/2013-01-01.jsonl.gz", 1, 1, "ok"), ("airlines/2013-01-02.jsonl.gz", 1, 1, "ok")]
    assert airlines.rows("ops.ingestion_log", *columns) == taken
    airlines.run(ingestion)
    left = ("airlines/2013-01-03.jsonl.gz", 1, 1, "ok")
    assert airlines.rows("ops.ingestion_log", *columns) == [*taken, left]
    assert airlines.rows("silver.airlines", "carrier") == [("AA",), ("BB",), ("CC",)]


def test_a_run_killed_between_the_tables_commit_and_the_streams_takes_nothing_twice(airlines):
    airlines.land("airlines/2013-01-01.jsonl.gz", airline("AA"))
    airlines.run(ingestion)
    airlines.land("airlines/2013-01-02.jsonl.gz", airline("BB"), airline("CC"))
    pipeline = ingestion.create_pipeline(airlines.use_case)
    airlines.run(pipeline.to_nodes("ingest_airlines"))
    commits = airlines.lakehouse.folder / "_checkpoints" / "bronze" / "airlines" / "commits"
    newest = max((path for path in commits.iterdir() if path.name.isdigit()), key=lambda path: int(path.name))
    newest.unlink()
    commits.joinpath(f".{newest.name}.crc").unlink(missing_ok=True)
    before = airlines.rows("bronze.airlines", "line", "_file", "_line_no")
    airlines.run(ingestion)
    assert newest.exists()
    assert airlines.rows("bronze.airlines", "line", "_file", "_line_no") == before
    assert airlines.rows("silver.airlines", "carrier") == [("AA",), ("BB",), ("CC",)]
    assert all(is_balanced(row) for row in log_of(airlines).values())


def test_a_file_that_changed_after_it_was_taken_stops_the_run_by_name(airlines):
    path = airlines.land("airlines/2013-01-01.jsonl.gz", airline("AA"))
    airlines.run(ingestion)
    size = path.stat().st_size
    airlines.land("airlines/2013-01-01.jsonl.gz", airline("AA"), airline("BB"))
    with pytest.raises(LandingError) as refused:
        airlines.run(ingestion)
    assert f"airlines/2013-01-01.jsonl.gz: {size} bytes when taken, {path.stat().st_size} now" in str(
        refused.value
    )
    assert "land corrections as new files" in str(refused.value)


def test_a_line_that_a_write_lost_stops_the_run_by_name(airlines):
    airlines.land("airlines/2013-01-01.jsonl.gz", airline("AA"), airline("BB"))

    def lossy(new_bronze, new_files):
        checked, silver = clean_lines(new_bronze, new_files, CONTRACTS["silver.airlines"])
        return checked, silver.where("carrier = 'AA'")

    nodes = {node.name: node for node in ingestion.create_pipeline(airlines.use_case).nodes}
    sound = nodes["clean_airlines"]
    nodes["clean_airlines"] = Node(lossy, sound.inputs, sound.outputs, name=sound.name)
    with pytest.raises(IngestionError, match=r"unaccounted for in airlines/2013-01-01\.jsonl\.gz: 1 lines"):
        airlines.run(Pipeline(list(nodes.values())))


def test_lines_are_checked_while_a_file_of_their_source_is_new(spark):
    bronze = landed(spark, [airline("AA"), "{"])
    new = LandedFile("airlines/2013-01-01.jsonl.gz", "airlines", LAST_OF_AIRLINES, LAST_OF_AIRLINES, 100)

    def counts(*files: LandedFile) -> list[int]:
        return [frame.count() for frame in clean_lines(bronze, list(files), CONTRACTS["silver.airlines"])]

    assert counts(new) == [2, 1]
    for other in ({"source": "weather"}, {"is_named": False}, {"size_bytes": 0}):
        assert counts(replace(new, **other)) == [0, 0]


def test_no_landing_folder_says_how_to_get_one(project):
    with pytest.raises(
        DatasetError, match=r"No landing folder .*landing/test: play the feed with `kedro land"
    ):
        project.run(ingestion)


def test_a_missing_source_and_a_folder_of_no_source_are_named(spark, tmp_path):
    project = Project(tmp_path, use_case_of("airlines", "planes"))
    project.land("airlines/2013-01-01.jsonl.gz", airline("AA"))
    with pytest.raises(LandingError, match=r"No file landed of: planes. Landed are: airlines. "):
        project.run(ingestion)
    project.land("planes/2013-01-01.jsonl.gz")
    project.land("trains/2013-01-01.jsonl.gz")
    with pytest.raises(
        LandingError, match=r"landed of trains, which no source takes. Sources are airlines, planes"
    ):
        project.run(ingestion)


def test_a_source_whose_files_were_all_archived_is_not_missing(spark, tmp_path):
    project = Project(tmp_path, use_case_of("airlines", "planes"))
    archived = project.land("planes/2013-01-01.jsonl.gz")
    project.land("airlines/2013-01-01.jsonl.gz", airline("AA"))
    project.run(ingestion)
    archived.unlink()
    project.land("airlines/2013-01-02.jsonl.gz", airline("BB"))
    project.run(ingestion)
    assert project.rows("silver.airlines", "carrier") == [("AA",), ("BB",)]


def test_a_name_that_tells_no_period_is_on_record_and_its_good_neighbours_are_taken(airlines):
    airlines.land("airlines/2013-01-01.jsonl.gz", airline("AA"))
    airlines.land("airlines/newest.jsonl.gz", airline("BB"))
    airlines.land("airlines/2013-02-30.jsonl.gz")
    half_written = airlines.land_bytes("airlines/2013-01-02.jsonl.gz.part", b"half")
    airlines.land("airlines/day=1/2013-01-03.jsonl.gz", airline("CC"))
    airlines.run(ingestion)
    columns = ("file", "period_end", "lines", "quarantined", "status")
    log = airlines.rows("ops.ingestion_log", *columns)
    sound = ("airlines/2013-01-01.jsonl.gz", LAST_OF_AIRLINES, 1, 0, "ok")
    odd = ("2013-01-02.jsonl.gz.part", "2013-02-30.jsonl.gz", "day=1/", "newest.jsonl.gz")
    assert log == [sound, *((f"airlines/{name}", LAST_OF_AIRLINES, 0, 0, "misnamed") for name in odd)]
    assert airlines.rows("silver.airlines", "carrier") == [("AA",)]

    half_written.write_bytes(b"grown since")
    airlines.landing.joinpath("airlines/newest.jsonl.gz").rename(
        airlines.landing / "airlines/2013-01-02.jsonl.gz"
    )
    airlines.run(ingestion)
    assert len(airlines.rows("ops.ingestion_log")) == len(log) + 1
    assert airlines.rows("silver.airlines", "carrier") == [("AA",), ("BB",)]


def test_a_file_named_for_the_future_moves_no_now_and_is_taken_under_its_right_name(airlines):
    airlines.land("airlines/2013-01-01.jsonl.gz", airline("AA"))
    wrong = airlines.land("airlines/9998-10-01.jsonl.gz", airline("BB"))
    assert airlines.run(ingestion).load("run").as_of == LAST_OF_AIRLINES.replace(tzinfo=UTC)
    assert airlines.rows("ops.ingestion_log", "file", "lines", "status")[1] == (
        "airlines/9998-10-01.jsonl.gz", 0, "misnamed",
    )  # fmt: skip
    wrong.rename(wrong.with_name("2013-01-02.jsonl.gz"))
    day_after = LAST_OF_AIRLINES.replace(tzinfo=UTC) + timedelta(days=1)
    assert airlines.run(ingestion).load("run").as_of == day_after
    assert airlines.rows("silver.airlines", "carrier") == [("AA",), ("BB",)]


def test_a_name_that_was_passed_over_is_told_of_once_its_day_has_come(airlines, monkeypatch):
    """Streams have seen it: its lines would be lost without a word."""
    airlines.land("airlines/2013-01-01.jsonl.gz", airline("AA"))
    ahead = airlines.land(
        f"airlines/{datetime.now(UTC) + timedelta(days=3):%Y-%m-%d}.jsonl.gz", airline("BB")
    )
    airlines.run(ingestion)
    monkeypatch.setattr(landing, "_AHEAD", timedelta(days=9))
    with pytest.raises(LandingError, match=rf"not read again: airlines/{ahead.name}\. Land what is right"):
        airlines.run(ingestion)
    ahead.rename(ahead.with_name("2013-01-02.jsonl.gz"))
    airlines.run(ingestion)
    assert airlines.rows("silver.airlines", "carrier") == [("AA",), ("BB",)]


def test_a_source_that_landed_nothing_but_misnamed_files_never_landed(spark, tmp_path):
    project = Project(tmp_path, use_case_of("airlines", "planes"))
    project.land("airlines/2013-01-01.jsonl.gz", airline("AA"))
    project.land_bytes("planes/notes.txt", b"ask Mara")
    with pytest.raises(LandingError, match=r"No file landed of: planes\. Landed are: airlines\. "):
        project.run(ingestion)


def test_where_no_name_tells_a_period_the_run_stops_and_names_one(airlines):
    airlines.land("airlines/newest.jsonl.gz", airline("AA"))
    with pytest.raises(DatasetError, match=r"airlines/newest\.jsonl\.gz: a landing file is named"):
        airlines.run(ingestion)
