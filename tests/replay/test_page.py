"""The page of a replay, as text and in a browser."""

import re
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from browser import opened, written
from lakehouse_ml.replay.comparison import Comparison
from lakehouse_ml.replay.figures import difference_table, fate_table, policy_table
from lakehouse_ml.replay.page import render_page
from lakehouse_ml.replay.plots import open_counts
from replay_builders import NOWS, alert, alerts, comparison, story, training

pytestmark = pytest.mark.slow

PLOTS = {"plot-metrics", "plot-differences", "plot-trainings", "plot-alerts", "plot-incidents"}


@pytest.fixture(scope="module")
def told() -> Comparison:
    noticed = alerts(alert("freshness", "2013-05-06", "2013-05-13"), alert("quality", "2013-06-03"))
    meddled = (training("2013-04-01", "1"), training("2013-05-13", reason="floor_roc_auc: FAILED <0.41>"))
    better = story("triggered", skill=1.6, rows=noticed, trainings=(*meddled, training("2013-06-03", "2")))
    return comparison(story("never", rows=noticed, trainings=meddled), better)


def page(comparison: Comparison) -> str:
    return render_page(comparison, "toys", "baseline 2, challenger 3", [20.0, 30.0, 25.0])


def seen(html: str) -> str:
    """What a person reads: the page without code."""
    body = re.sub(r"<(script|style)\b.*?</\1>", " ", html, flags=re.DOTALL)
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", body))


def test_the_page_says_first_what_the_evidence_allows(told: Comparison) -> None:
    text = seen(page(told))
    assert "toys · replay" in text
    assert "2013-04-01 to 2013-07-08 UTC in 14 steps" in text
    assert "Triggered against never: average precision +0." in text


def test_the_page_shows_every_part_with_its_numbers(told: Comparison) -> None:
    text = seen(page(told))
    for words in (
        "measured on the same 5,880 predictions",
        "The plots show the differences to never.",
        "triggered minus never +0.",
        "Trainings and what the gate decided",
        "Trials of each search in this replay: baseline 2, challenger 3",
        "silent weather never 05-04 to 05-07 05-06: freshness 05-06: no model was trained meanwhile 05-13",
        "data part 3 25 s 30 s",
        "triggered, with a training 2",
    ):
        assert words in text, words


def test_what_comes_from_data_is_escaped(told: Comparison) -> None:
    assert "FAILED &lt;0.41&gt;" in page(told)
    assert "<0.41>" not in seen(page(told))


def test_the_page_needs_nothing_from_outside(told: Comparison) -> None:
    html = re.sub(r"<script>/\*\*.*?</script>", "", page(told), count=1, flags=re.DOTALL)
    assert len(html) < 500_000
    assert not re.search(r"""(src|href|url)\s*[=(]\s*["']?(https?:)?//""", html)


def test_open_alerts_are_counted_from_their_events(told: Comparison) -> None:
    counts = open_counts(told.stories["never"], NOWS)
    assert [counts[now] for now in NOWS] == [0, 0, 0, 0, 0, 1, 0, 0, 0, 1, 1, 1, 1, 1, 1]


def test_a_terminal_gets_the_same_figures(told: Comparison) -> None:
    console = Console(width=250, record=True, file=StringIO())
    console.print(policy_table(told), difference_table(told), fate_table(told))
    text = console.export_text()
    assert "triggered minus never" in text
    assert "triggered" in text
    assert "refused: floor_roc_auc: FAILED <0.41>" in text


def test_a_browser_draws_every_plot_and_has_nothing_to_complain_about(
    told: Comparison, tmp_path: Path
) -> None:
    found = opened(written(page(told), tmp_path))
    assert found.complaints == ()
    assert set(found.plots) == PLOTS
    assert all(found.plots.values()), found.plots


def test_a_calm_replay_of_one_step_has_its_page_too(tmp_path: Path) -> None:
    found = opened(written(page(comparison(story("never"), incidents=())), tmp_path))
    assert found.complaints == ()
    assert all(found.plots.values()), found.plots


def test_a_page_with_a_mistake_is_noticed(told: Comparison, tmp_path: Path) -> None:
    broken = page(told).replace("Plotly.newPlot", "Plotly.newPlotter", 1)
    found = opened(written(broken, tmp_path))
    assert any("newPlotter is not a function" in text for text in found.complaints)
    assert sum(count == 0 for count in found.plots.values()) == 1
