"""The docs of a replay are its own figures, and only a finished one has them."""

from dataclasses import replace
from pathlib import Path

import pytest

from lakehouse_ml.replay.code import record_code
from lakehouse_ml.replay.comparison import Comparison
from lakehouse_ml.replay.policies import POLICIES
from lakehouse_ml.replay.steps import ReplayError
from lakehouse_ml.replay.world import DATA, World
from processes import ROOT
from replay_builders import alert, alerts, comparison, story, training
from replay_docs import commit_of, docs_page, finished, step_cost, table, write_docs

SECONDS = [10.0] * 14


@pytest.fixture(scope="module")
def told() -> Comparison:
    noticed = alerts(alert("freshness", "2013-05-06", "2013-05-13"))
    trained = (training("2013-04-01", "1"), training("2013-05-13"), training("2013-06-03", "2"))
    return comparison(
        story("never", rows=noticed), story("triggered", skill=1.6, rows=noticed, trainings=trained)
    )


def played(world: World, **steps: int) -> World:
    """The records of a replay, of so many steps of each part."""
    for name, count in steps.items():
        for step in story("never").steps[:count]:
            world.done(name).add(step)
    return world


def test_the_page_tells_what_was_played_and_what_came_of_it(told: Comparison) -> None:
    page = docs_page(told, SECONDS, "baseline 2, challenger 3", "`abc`")
    for words in (
        "2013-04-01 to 2013-07-08, 14 steps of 7 days",
        "Played by commit `abc`. Trials of each search: baseline 2, challenger 3.",
        "**Triggered against never: average precision +0.",
        "| Policy | AP | AUC |",
        "| triggered minus never | +0.",
        "| silent weather | never | 05-04 to 05-07 | 05-06: freshness | 05-06: no model was trained",
        "| data part | 14 | 10 s | 10 s |",
        "| triggered, with a training | 2 |",
        "![The replay's page](pictures/replay.png)",
    ):
        assert words in page, words
    assert "{" not in page


def test_a_step_costs_the_data_part_and_one_policy_without_its_trainings(told: Comparison) -> None:
    # The builders' steps take 21, 22, ... 34 s; the last two trainings stand in steps of 26 and 29 s.
    assert step_cost(told, SECONDS) == "median 38 s, longest 44 s"
    slow = replace(told, stories={"triggered": told.stories["triggered"]})
    assert step_cost(slow, [20.0] * 14).endswith("longest 54 s")


def test_a_bar_in_a_cell_does_not_end_it() -> None:
    assert table(("a", "b"), [("x|y", "z")]).splitlines()[-1] == "| x\\|y | z |"


def test_the_docs_of_a_replay_that_is_not_finished_are_refused(tmp_path: Path) -> None:
    world = played(World(tmp_path, ROOT), data=3, never=3, monthly=2)
    with pytest.raises(ReplayError, match=r"monthly, triggered not played to the end"):
        finished(world)
    with pytest.raises(ReplayError, match="never, monthly, triggered not played"):
        finished(World(tmp_path / "nowhere", ROOT))
    assert {DATA, *POLICIES} == {"data", "never", "monthly", "triggered"}


def test_a_commit_that_nobody_knows_is_asked_for_and_nothing_is_written(tmp_path: Path) -> None:
    world = World(tmp_path / "replay", ROOT)
    with pytest.raises(ReplayError, match=r"no code\.json: name the commit that played it with --commit"):
        write_docs(world, None, tmp_path)
    assert not (tmp_path / "replay.md").exists()
    assert commit_of(world, "abc") == "`abc`"


def test_the_commit_on_record_goes_before_what_somebody_says(tmp_path: Path) -> None:
    record_code(tmp_path, ROOT)
    assert commit_of(World(tmp_path, ROOT), "abc") != "`abc`"
