"""The whole loop as a user starts it: real flights, real processes, the environment made for tests."""

import json
import os
import re
from collections.abc import Callable
from pathlib import Path

import nbformat
import pandas as pd
import pytest
from click.testing import CliRunner, Result
from kedro.framework.startup import bootstrap_project
from nbclient import NotebookClient
from pyspark.sql import SparkSession

from equality import assert_balanced
from lakehouse_ml.cli import cli
from lakehouse_ml.flights import USE_CASE
from lakehouse_ml.flights.feed import feed_records, feed_window, publish
from lakehouse_ml.flights.spine import flight_key
from leaks import texts_below
from processes import ROOT, SHORT_LIVED, finish, project_at, start_run
from route_builders import SECRET, listening

FIRST = pd.Timestamp("2013-02-24", tz="UTC")
NEXT = pd.Timestamp("2013-02-25", tz="UTC")
# An ordinary day; see the design's budget of commits.
MOST_COMMITS = 20

pytestmark = pytest.mark.loop


def land(project: Path, until: pd.Timestamp) -> None:
    records = feed_records()
    list(publish(records, project / "data/01_raw/test", feed_window(records, None, until, "day"), None))


@pytest.fixture(scope="module")
def loop(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str, str]:
    """The project after the loop and a day more, with what both runs printed; alerts go to a webhook, too."""
    project = project_at(tmp_path_factory.mktemp("project"), SHORT_LIVED)
    with (project / "conf/test/globals.yml").open("a") as values:
        values.write("alert_routes: [log, file, webhook]\n")
    with listening() as receiver, pytest.MonkeyPatch.context() as patched:
        patched.setenv("LAKEHOUSE_ML_TEST_ALERT_WEBHOOK", receiver.address)
        patched.setenv("NO_PROXY", "127.0.0.1")
        land(project, FIRST)
        whole = finish(start_run(project))
        land(project, NEXT)
        return project, whole, finish(start_run(project, "--pipelines", "daily"))


def table(spark: SparkSession, project: Path, name: str) -> pd.DataFrame:
    return (
        spark.read.format("delta").load(f"{project}/data/lakehouse/test/{name.replace('.', '/')}").toPandas()
    )


def test_every_line_is_accounted_for(spark: SparkSession, loop: tuple[Path, str, str]) -> None:
    assert_balanced(spark, loop[0] / "data/lakehouse/test")


def test_a_decision_with_reasons_is_on_record(spark: SparkSession, loop: tuple[Path, str, str]) -> None:
    ledger = table(spark, loop[0], "ops.promotion_ledger")
    assert list(ledger.sort_values("sequence")["event"]) == ["decided", "moved"]
    assert set(ledger["decision"]) == {"promoted"}
    assert len(ledger["reasons"][0]) > 30


def test_the_next_day_scores_its_flights_only(spark: SparkSession, loop: tuple[Path, str, str]) -> None:
    predictions = table(spark, loop[0], "ml.predictions")
    assert predictions["key"].is_unique
    added = predictions[predictions["as_of"] == NEXT.tz_localize(None)]
    assert set(added["predict_date"].astype(str)) <= {"2013-02-24", "2013-02-25"}
    assert len(added) > 500


def test_an_ordinary_day_makes_few_commits(spark: SparkSession, loop: tuple[Path, str, str]) -> None:
    events = table(spark, loop[0], "ops.event_log").sort_values(["timestamp", "sequence"])
    runs = events.index[events["event_type"] == "run_progress"]
    assert len(runs) == 2
    daily = events.loc[runs[0] :].iloc[1:]
    nodes = daily[daily["event_type"] == "flow_progress"]
    commits = sum(json.loads(details)["commits"] for details in nodes["details"])
    # The event log's own commit comes after them.
    assert 0 < commits + 1 <= MOST_COMMITS


def test_the_summary_tells_models_decision_and_where_to_look(loop: tuple[Path, str, str]) -> None:
    _, whole, daily = loop
    for word in ("challenger", "baseline", "promoted", "quarantine", "kedro viz", "mlflow"):
        assert re.search(word, whole, re.IGNORECASE), word
    assert "2013-02-25" in daily


@pytest.mark.parametrize("noise", ["log4j profile", "log level", "NativeCodeLoader"])
def test_spark_does_not_talk_about_its_start(loop: tuple[Path, str, str], noise: str) -> None:
    assert not [printed for printed in loop[1:] if noise in printed]


def test_the_report_is_one_page_that_needs_no_network(loop: tuple[Path, str, str]) -> None:
    page = (loop[0] / "data/reporting/test/report.html").read_text()
    # The inlined plotting library holds addresses that it never opens; the page's own markup must hold none.
    markup = re.sub(r"(<script[^>]*>).*?</script>", r"\1", page, flags=re.DOTALL)
    assert len(markup) < len(page) / 2
    assert not re.search(r"""(src|href)=["']https?://""", markup)


def test_the_daily_runs_page_tells_what_each_stage_of_the_run_before_took(
    loop: tuple[Path, str, str],
) -> None:
    page = (loop[0] / "data/reporting/test/report.html").read_text()
    (section,) = re.findall(r'<section id="stages">.*?</section>', page, flags=re.DOTALL)
    took = dict(re.findall(r"<tr>\s*<td[^>]*>(\w+)</td>\s*<td[^>]*>([\d.]+) s</td>", section))
    assert set(took) == {
        "ingestion",
        "feature_engineering",
        "training",
        "evaluation",
        "promotion",
        "inference",
        "monitoring",
    }
    assert all(float(seconds) > 0 for seconds in took.values())


def test_a_secret_is_in_no_table_no_store_no_report_and_no_log(loop: tuple[Path, str, str]) -> None:
    project, *printed = loop
    assert not [text for text in printed if SECRET in text]
    assert [name for name, text in texts_below(project) if SECRET in text] == []


def test_restricted_values_reach_no_gold_no_prediction_no_report_and_no_log(
    loop: tuple[Path, str, str],
) -> None:
    project, *printed = loop
    landed, lakehouse = project / "data/01_raw", project / "data/lakehouse/test"
    tails = set(pd.read_json(next((landed / "test/planes").glob("*.gz")), lines=True)["tail_number"])
    spoken = {name: text for name, text in texts_below(project, landed) if named(text) & tails}
    # Where they may be, so that the search is known to find them.
    allowed = [f"data/lakehouse/test/{schema}/" for schema in ("bronze", "silver", "quarantine")]
    assert {Path(name).parts[4] for name in spoken if name.startswith(tuple(allowed))} >= {
        "planes",
        "movements",
    }
    assert [name for name in spoken if not name.startswith(tuple(allowed))] == []
    assert (lakehouse / "gold/features").is_dir()
    assert not [text for text in printed if named(text) & tails]


def named(text: str) -> set[str]:
    """What looks like a tail number."""
    return set(re.findall(r"\bN[0-9A-Z]{4,5}\b", text))


@pytest.fixture
def command(
    spark: SparkSession, loop: tuple[Path, str, str], monkeypatch: pytest.MonkeyPatch
) -> Callable[..., Result]:
    """``kedro <arguments> --env=test`` in the project of the loop."""
    monkeypatch.chdir(loop[0])
    monkeypatch.setenv("COLUMNS", "200")
    metadata = bootstrap_project(ROOT)._replace(project_path=loop[0])

    def call(*arguments: str) -> Result:
        return CliRunner().invoke(cli, [*arguments, "--env", "test"], obj=metadata)

    return call


def scored_and_flown(spark: SparkSession, project: Path) -> pd.DataFrame:
    """Key and tail number of flights that were scored."""
    movements = spark.read.format("delta").load(f"{project}/data/lakehouse/test/silver/movements")
    named_ones = movements.where("tail_number IS NOT NULL").select(flight_key().alias("key"), "tail_number")
    flown = named_ones.toPandas()
    return flown[flown["key"].isin(table(spark, project, "ml.predictions")["key"])]


def test_a_score_is_explained_and_its_restricted_columns_are_masked(
    spark: SparkSession, loop: tuple[Path, str, str], command: Callable[..., Result]
) -> None:
    # Flown, so that its movements name the aircraft.
    flown = scored_and_flown(spark, loop[0])
    key, tail = flown[["key", "tail_number"]].iloc[-1]
    explained = command("explain", "--flight", key)
    assert explained.exit_code == 0, explained.output
    assert "(the same when made again)" in explained.output
    assert "Features" in explained.output
    assert '"***"' in explained.output
    assert [name for name in USE_CASE.feature_names if name not in explained.output] == []
    traced = command("lineage", "--prediction", key)
    assert ".jsonl.gz" in traced.output
    assert "version 1" in traced.output
    assert tail not in explained.output + traced.output
    assert not named(explained.output + traced.output) & set(flown["tail_number"])


def test_the_ledger_is_shown_and_verified(command: Callable[..., Result]) -> None:
    shown = command("ledger", "show").output
    assert "decided" in shown
    assert "none → 1" in shown
    verified = command("ledger", "verify")
    assert verified.output.strip() == "2 rows: hashes, chain, alias and files agree"


def test_no_training_starts_that_nobody_asked_for(command: Callable[..., Result]) -> None:
    told = command("retrain")
    assert told.exit_code == 0
    assert "Nothing to train: no new model is due since 2013-02-24 00:00 UTC" in told.output.replace(
        "\n", " "
    )
    assert command("ledger", "verify").output.startswith("2 rows")


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("rollback", "--reason", "a try"), "No version was champion before"),
        (("approve", "--version", "1", "--by", "me", "--note", "a try"), "Version 1 awaits no approval"),
        (("explain", "--flight", "no such flight"), "no such flight"),
        (("lineage", "--version", "7"), "7"),
        (("lineage",), "give either --version or --prediction"),
    ],
)
def test_a_command_that_cannot_be_done_says_why_in_a_sentence(
    command: Callable[..., Result], arguments: tuple[str, ...], told: str
) -> None:
    refused = command(*arguments)
    assert refused.exit_code == 1
    assert "Traceback" not in refused.output
    assert told in refused.output


def test_the_notebook_runs_through_the_catalog(
    loop: tuple[Path, str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    project = loop[0]
    (project / "pyproject.toml").write_text((ROOT / "pyproject.toml").read_text())
    (project / "src").mkdir(exist_ok=True)
    monkeypatch.setenv("KEDRO_ENV", "test")
    monkeypatch.setenv("DO_NOT_TRACK", "1")
    notebook = nbformat.read(ROOT / "notebooks/explore_gold.ipynb", as_version=4)
    done = NotebookClient(notebook, timeout=300, resources={"metadata": {"path": str(project)}}).execute()
    assert not [
        out for cell in done.cells for out in cell.get("outputs", []) if out["output_type"] == "error"
    ]
    assert os.environ["KEDRO_ENV"] == "test"
