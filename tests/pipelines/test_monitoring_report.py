import json
import re
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from rich.console import Console

from browser import opened, written
from lakehouse_ml.lakehouse.tables import ALERTS
from lakehouse_ml.pipelines.monitoring import alerts as rules
from lakehouse_ml.pipelines.monitoring import landed
from lakehouse_ml.pipelines.monitoring.drift_plot import plot_drift
from lakehouse_ml.pipelines.monitoring.findings import found_alerts
from lakehouse_ml.pipelines.monitoring.flow_plots import plot_data_flow, plot_stages
from lakehouse_ml.pipelines.monitoring.headline import Standing, take_standing
from lakehouse_ml.pipelines.monitoring.history import HistoryParams, stage_totals
from lakehouse_ml.pipelines.monitoring.lifecycle import open_alerts
from lakehouse_ml.pipelines.monitoring.page import Column, Html, folded, table
from lakehouse_ml.pipelines.monitoring.quality_plot import plot_quality
from lakehouse_ml.pipelines.monitoring.report import ReportParams, report
from lakehouse_ml.pipelines.monitoring.retrain import RetrainParams, decide_retrain
from lakehouse_ml.pipelines.monitoring.rules import QualityParams
from lakehouse_ml.pipelines.monitoring.situation import Past, Training, take_situation
from lakehouse_ml.pipelines.monitoring.summary import SummaryParams, render_summary, summarise
from lakehouse_ml.pipelines.monitoring.tables import report_tables
from monitoring_builders import (
    AS_OF,
    CHAMPION,
    OWNERS,
    RUN,
    SOURCES,
    drift_history,
    estimated_windows,
    file_history,
    ledger_history,
    params,
    quality_history,
    stage_history,
)  # fmt: skip

pytestmark = pytest.mark.slow

DRIFT = rules.DriftParams(**params("drift"))
DATA = landed.DataParams(**{**params("data"), "no_fixed_time": ("planes",)})
HISTORY = HistoryParams(**params("history"))


def histories(**changes: pd.DataFrame) -> dict[str, pd.DataFrame]:
    return {
        "quality": quality_history(False, True, False),
        "drift": drift_history(4, 3),
        "files": file_history(),
        "ledger": ledger_history(),
        "stages": stage_history(2),
        **changes,
    }


def first_run() -> dict[str, pd.DataFrame]:
    """What there is when the first champion has only just been promoted."""
    known = histories(files=file_history(2), ledger=ledger_history().iloc[1:2])
    return {**known, **{name: known[name].iloc[:0] for name in ("quality", "drift", "stages")}}


def stand(known: dict[str, pd.DataFrame]) -> Standing:
    findings = (
        rules.drift_alerts(known["drift"], rules.DriftParams(**params("drift")), owners=OWNERS),
        rules.quality_alerts(known["quality"], CHAMPION, owners=OWNERS),
        landed.data_alerts(known["files"], RUN, DATA, sources=SOURCES, owners=OWNERS),
    )
    past = Past((Training(4, AS_OF - timedelta(days=20)),), (), new_labels=9_000)
    none = pd.DataFrame(columns=list(ALERTS.names))
    known_now = take_situation(CHAMPION, RUN, known["ledger"], known["quality"], past, none, *findings)
    decision = decide_retrain(known_now, RetrainParams(**params("retrain")))
    found = found_alerts(*findings, rules.retrain_alerts(decision, owners=OWNERS))
    alerts = open_alerts(found, none, RUN)
    return take_standing(CHAMPION, known["quality"], known["files"], alerts, decision, DATA)


def page(known: dict[str, pd.DataFrame]) -> str:
    standing = stand(known)
    tables = report_tables(standing, known["files"], known["ledger"], known["stages"], RUN, DATA)
    figures = (
        plot_quality(known["quality"], estimated_windows(), QualityParams(**params("quality"))),
        plot_drift(known["drift"], DRIFT),
        plot_data_flow(known["files"], RUN, HISTORY),
        plot_stages(known["stages"]),
    )
    return report(standing, tables, RUN, ReportParams(environment="dev"), *figures, use_case="toys")


def seen(html: str) -> str:
    """What a person reads: the page without code."""
    body = re.sub(r"<(script|style)\b.*?</\1>", " ", html, flags=re.DOTALL)
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", body))


@pytest.fixture(scope="module")
def whole_page() -> str:
    return page(histories(drift=drift_history(30, 8)))


def test_the_page_says_at_once_how_things_stand(whole_page: str) -> None:
    text = seen(whole_page)
    assert "toys · dev" in text
    assert "as of 2013-10-01 00:00 UTC" in text
    assert "Champion 3 does its work (AP 0.5" in text
    assert "No new model is due." in text


def test_a_failing_model_is_said_in_the_first_sentence() -> None:
    html = page(histories(quality=quality_history(True, True)))
    assert "Champion 3 breaks quality rules" in seen(html)
    assert "A new model is due." in seen(html)
    assert "2 of the last 2 complete windows break quality rules" in seen(html)
    assert 'class="verdict critical"' in html


def test_a_training_held_back_is_shown_with_what_holds_it() -> None:
    files = file_history()
    silent = files[(files["source"] != "weather") | (files["day"] < date(2013, 9, 27))]
    text = seen(page(histories(quality=quality_history(True, True), files=silent)))
    assert "A new model is due, and held back (data_alert)." in text
    assert "data alert holds back freshness weather: bad data is no drift" in text
    assert "quality asks for a new model 2 of the last 2" in text
    assert "cooldown lets pass the last training was 20.0 days ago" in text


def test_the_page_shows_every_part_with_its_numbers() -> None:
    html = page(histories(files=file_history(weather=9)))
    text = seen(html)
    for words in (
        "Open alerts",
        "Model quality",
        "Drift of the features",
        "Data flow",
        "Promotion ledger",
        "Stages",
    ):
        assert words in text
    assert "9 of 72 on 2013-09-30 (12.5%)" in text
    assert "holdout: 7 days are new to the ledger, 14 needed" in text
    assert "2 → 3" in text
    assert "feature_engineering" in text
    assert html.count('class="plotly-graph-div"') == 4


def test_the_page_needs_nothing_from_outside(whole_page: str) -> None:
    html = re.sub(r"<script>/\*\*.*?</script>", "", whole_page, count=1, flags=re.DOTALL)
    assert len(html) < 500_000, "the plotting code was expected once, at the top"
    assert not re.search(r"""(src|href|url)\s*[=(]\s*["']?(https?:)?//""", html)


def test_the_first_run_has_a_page_without_blank_plots() -> None:
    html = page(first_run())
    assert "has no complete window to be judged by yet" in seen(html)
    assert html.count("no complete window yet") >= 2
    assert "no finished run on record yet" in html


def test_no_landed_file_at_all_has_a_page_too() -> None:
    known = {**first_run(), "files": file_history().iloc[:0]}
    html = page(known)
    assert "No file has landed." in seen(html)
    assert "weather: no data at all" in seen(html)


def test_the_same_tables_give_the_same_page(whole_page: str) -> None:
    assert page(histories(drift=drift_history(30, 8))) == whole_page


def test_text_from_data_cannot_become_markup() -> None:
    evil = "<script>alert(1)</script>"
    ledger = ledger_history().assign(reasons=[[evil]] * 3, elected=evil)
    assert evil not in page(histories(ledger=ledger))
    assert "&lt;script&gt;" in table([Column("a")], [[evil]], empty="")
    assert table([Column("a")], [[Html("<b>x</b>")]], empty="").count("<b>x</b>") == 1
    assert "&lt;" in folded("one", ["<"])
    assert table([Column("a")], [], empty="<none>") == '<p class="muted">&lt;none&gt;</p>'


def test_many_findings_of_one_rule_fold_into_one_row(whole_page: str) -> None:
    text = seen(whole_page)
    assert "6 findings" in text
    assert "feature_25: population_stability_index" in text


def test_violations_are_ringed_and_limits_drawn() -> None:
    figure = plot_quality(
        quality_history(False, True, False), estimated_windows(), QualityParams(**params("quality"))
    )
    rings = [trace for trace in figure.data if trace.name == "breaks a rule"]
    assert len(rings) == 5
    assert rings[0].text == ("auc_floor",)
    assert [shape.y0 for shape in figure.layout.shapes] == [0.6]


def test_a_window_that_waits_is_drawn_hollow_as_an_estimate_and_never_as_measured() -> None:
    figure = plot_quality(
        quality_history(False, False), estimated_windows(), QualityParams(**params("quality"))
    )
    estimates = [trace for trace in figure.data if trace.name == "estimate from the scores alone"]
    measured = [trace for trace in figure.data if trace.name == "version 3"]
    assert [len(trace.x) for trace in estimates] == [3] * 4
    assert {trace.marker.symbol for trace in estimates} == {"diamond-open"}
    assert {len(trace.x) for trace in measured} == {2}


def test_estimates_are_drawn_before_any_window_is_complete_and_nothing_before_anything_is_scored() -> None:
    none, rules_of = quality_history(), QualityParams(**params("quality"))
    names = {trace.name for trace in plot_quality(none, estimated_windows(), rules_of).data if len(trace.x)}
    assert names == {"estimate from the scores alone"}
    blank = plot_quality(none, estimated_windows().iloc[:0], rules_of)
    assert "nothing is scored yet" in blank.layout.annotations[0].text


def test_the_heat_map_has_the_worst_features_on_top_and_counts_the_others() -> None:
    figure = plot_drift(drift_history(36, 8), DRIFT)
    assert len(figure.data[0].y) == 30
    assert figure.data[0].z[0].max() >= figure.data[0].z[-1].max()
    assert figure.layout.title.text.startswith("● 8 of 36 watched features shifted")
    assert "the 6 least drifted are left out" in figure.layout.title.text


def test_watched_features_stand_above_those_that_are_only_shown() -> None:
    rule = rules.DriftRule(**{**DRIFT.rules[0].model_dump(), "features": ("feature_01", "feature_03")})
    figure = plot_drift(drift_history(12, 8), rules.DriftParams(rules=(rule,)))
    assert set(figure.data[0].y[:2]) == {"● feature_01", "● feature_03"}
    assert figure.data[0].y[2] in ("feature_00", "feature_05", "feature_10")
    assert "0 of 2 watched features shifted" in figure.layout.title.text
    assert "and 3 of 10 that are only shown" in figure.layout.title.text


def flows(*done: tuple[str, float, float]) -> pd.DataFrame:
    """Events of one run: stage, second of the end, seconds that it took; the first made one commit, the next two."""
    start = pd.Timestamp(2026, 1, 1)
    rows = [
        ("a", start, stage, start + pd.Timedelta(ended, "s"), json.dumps({"duration_s": took, "commits": n}))
        for n, (stage, ended, took) in enumerate(done, start=1)
    ]
    return pd.DataFrame(rows, columns=["run_id", "started", "pipeline_name", "timestamp", "details"])


def test_durations_and_commits_are_summed_by_stage() -> None:
    done = flows(("ingestion", 2.0, 2.0), ("ingestion", 6.0, 3.5))
    (row,) = stage_totals(done).to_dict("records")
    assert (row["stage"], row["duration_s"], row["commits"]) == ("ingestion", 5.5, 3)
    assert stage_totals(done.iloc[:0]).empty


def test_what_flows_of_a_stage_do_side_by_side_takes_time_once() -> None:
    done = [
        ("ingestion", 10.0, 10.0),
        ("ingestion", 6.0, 3.0),
        ("ingestion", 12.0, 4.0),
        ("ingestion", 20.0, 5.0),
    ]
    (row,) = stage_totals(flows(*done)).to_dict("records")
    assert row["duration_s"] == 17.0


def test_stages_stand_in_the_order_in_which_they_ended() -> None:
    found = stage_totals(flows(("monitoring", 1.0, 1.0), ("ingestion", 5.0, 5.0), ("monitoring", 9.0, 4.0)))
    assert found["stage"].tolist() == ["ingestion", "monitoring"]
    assert found["duration_s"].tolist() == [5.0, 5.0]


def summary(known: dict[str, pd.DataFrame], evaluation: pd.DataFrame) -> dict[str, Any]:
    rows = {"bronze": 1000, "silver": 990, "quarantine": 10, "gold flights": 900, "scored": 70}
    look = {"look_further": [{"what": "Report page", "where": "data/report.html"}]}
    return dict(summarise(stand(known), rows, evaluation, known["ledger"], RUN, SummaryParams(**look)))


EVALUATION = pd.DataFrame(
    {
        "role": ["baseline", "challenger"], "metric": "roc_auc", "value": [0.75, 0.77], "low": [0.73, float("nan")],
        "high": [0.77, float("nan")],
    }
)  # fmt: skip


def test_the_summary_is_plain_json_with_the_decision_and_the_models() -> None:
    found = json.loads(json.dumps(summary(histories(), EVALUATION), allow_nan=False))
    assert (found["scored"], found["quarantined"], found["rows"]["bronze"]) == (70, 10, 1000)
    assert found["models"]["baseline"]["roc_auc"] == {"value": 0.75, "low": 0.73, "high": 0.77}
    assert found["models"]["challenger"]["roc_auc"]["low"] is None
    assert found["decision"]["decision"] == "refused"
    assert found["decision"]["odd"] == ["baseline: C on its bound 1"]
    assert found["retrain"]["outcome"] == "none"


def test_the_terminal_shows_a_request_with_its_reasons_and_what_holds_it_back() -> None:
    def shown(known: dict[str, pd.DataFrame]) -> str:
        console = Console(width=200)
        with console.capture() as capture:
            console.print(render_summary(json.loads(json.dumps(summary(known, EVALUATION)))))
        return capture.get()

    failing = histories(quality=quality_history(True, True))
    asked, held = shown(failing), shown({**failing, "files": file_history().iloc[:0]})
    assert "Retrain: requested, `kedro retrain` trains it" in asked
    assert "2 of the last 2 complete windows break quality rules" in asked
    assert "Retrain: held back" in held
    assert "held back: freshness movements, freshness planes, freshness timetable, freshness weather" in held


def test_the_terminal_shows_what_was_odd_in_training_and_a_roll_back_without_one() -> None:
    def shown(ledger: pd.DataFrame) -> str:
        console = Console(width=200)
        with console.capture() as capture:
            console.print(render_summary(summary(histories(ledger=ledger), EVALUATION)))
        return capture.get()

    assert "odd in training: baseline: C on its bound 1" in shown(ledger_history())
    rolled_back = shown(ledger_history().assign(models=None))
    assert "Promotion: refused" in rolled_back
    assert "odd in training" not in rolled_back


@pytest.mark.parametrize("known", [histories(), first_run()], ids=["later", "first"])
def test_the_terminal_shows_the_summary(known: dict[str, pd.DataFrame]) -> None:
    console = Console(width=140, record=True, file=None, quiet=False, force_terminal=False)
    with console.capture() as capture:
        console.print(render_summary(summary(known, EVALUATION)))
    shown = capture.get()
    for words in (
        "bronze",
        "1,000",
        "scored by this run",
        "0.750 [0.730, 0.770]",
        "Retrain: no",
        "data/report.html",
    ):
        assert words in shown


def test_a_summary_without_evaluation_and_decision_is_shown_too() -> None:
    known = {**first_run(), "ledger": ledger_history().iloc[:0]}
    found = summary(known, EVALUATION.iloc[:0])
    assert found["decision"] is None
    with Console(width=140).capture() as capture:
        Console(width=140).print(render_summary(found))
    assert capture is not None


@pytest.mark.parametrize("known", [histories(drift=drift_history(30, 8)), first_run()])
def test_a_browser_draws_every_plot_and_has_nothing_to_complain_about(
    known: dict[str, pd.DataFrame], tmp_path: Path
) -> None:
    found = opened(written(page(known), tmp_path))
    assert found.complaints == ()
    assert set(found.plots) == {"plot-quality", "plot-drift", "plot-flow", "plot-stages"}
    assert all(found.plots.values()), found.plots
