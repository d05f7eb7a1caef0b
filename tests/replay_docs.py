"""A finished replay in the docs: its figures as ``docs/replay.md``, its page as ``docs/pictures/replay.png``.

``make replay`` does it at its end, ``make replay-docs REPLAYED=<folder>`` for a replay that lies elsewhere. The
replay's folder is only read.
"""

import argparse
import sys
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path
from statistics import median

from kedro.framework.startup import bootstrap_project

from browser import pictured
from lakehouse_ml.flights import USE_CASE
from lakehouse_ml.incidents import read_incidents
from lakehouse_ml.replay.code import RECORD, read_code
from lakehouse_ml.replay.comparison import Comparison, compare_policies
from lakehouse_ml.replay.figures import (
    DIFFERENCE_HEADINGS,
    FATE_HEADINGS,
    HEADINGS,
    STEP_HEADINGS,
    difference_rows,
    fate_rows,
    policy_rows,
    step_rows,
)
from lakehouse_ml.replay.page import data_seconds, render_page, trials_of
from lakehouse_ml.replay.policies import POLICIES
from lakehouse_ml.replay.steps import ReplayError
from lakehouse_ml.replay.verdict import verdict
from lakehouse_ml.replay.world import DATA, INCIDENTS, World
from processes import ROOT

# From the head to the differences of the policies.
SIZE = (1210, 2090)


def finished(world: World) -> Comparison:
    """All policies of the replay.

    Raises:
        ReplayError: One of them was not played to the end of the data part.
    """
    nows = [step.as_of for step in world.done(DATA).all()]
    left = [name for name in POLICIES if not nows or world.done(name).find(nows[-1]) is None]
    if left:
        raise ReplayError(f"{world.folder}: {', '.join(left)} not played to the end: `make replay` goes on")
    incidents = read_incidents((world.conf / INCIDENTS).read_text())
    return compare_policies(world, nows, incidents, USE_CASE)


def commit_of(world: World, given: str | None) -> str:
    """The commit that played the replay, in words.

    Raises:
        ReplayError: It is not on record and nobody named it.
    """
    played = read_code(world.folder)
    if played is None and given is None:
        raise ReplayError(f"{world.folder} has no {RECORD}: name the commit that played it with --commit")
    if played is None:
        return f"`{given}`"
    return f"`{played.commit}`{', with changes' if played.is_dirty else ''}"


def docs_page(found: Comparison, seconds: Sequence[float], trials: str, commit: str) -> str:
    """``replay.md``.

    Args:
        found: The policies.
        seconds: What the steps of the data part took after the first one.
        trials: Of each search, in words.
        commit: The code that played, in words.
    """
    first, second, last = found.nows[0], found.nows[1], found.nows[-1]
    steps = f"{len(found.nows) - 1} steps of {(second - first).days} days"
    values = {
        "period": f"{first:%Y-%m-%d} to {last:%Y-%m-%d}, {steps}",
        "commit": commit,
        "trials": trials,
        "rows": f"{found.rows:,}",
        "verdict": verdict(found),
        "policies": table(("Policy", *HEADINGS), policy_rows(found)),
        "differences": table(DIFFERENCE_HEADINGS, difference_rows(found)),
        "incidents": table(FATE_HEADINGS, fate_rows(found)),
        "step": step_cost(found, seconds),
        "steps": table(STEP_HEADINGS, step_rows(found, seconds)),
    }
    page = (Path(__file__).parent / "replay.md").read_text()
    for name, value in values.items():
        page = page.replace(f"{{{name}}}", value)
    return page


def table(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Rows as a table of the page; a bar in a cell is no end of it."""
    lines = [[cell.replace("|", "\\|") for cell in row] for row in rows]
    head = ["| " + " | ".join(headings) + " |", "|" + "---|" * len(headings)]
    return "\n".join([*head, *("| " + " | ".join(line) + " |" for line in lines)])


def step_cost(found: Comparison, seconds: Sequence[float]) -> str:
    """What a step costs, data part and one policy, where nothing was trained."""
    costs = [
        data + step.seconds
        for story in found.stories.values()
        for data, step in zip(seconds, story.steps[1:], strict=True)
        if step.as_of not in {training.as_of for training in story.trainings}
    ]
    return f"median {median(costs):.0f} s, longest {max(costs):.0f} s" if costs else "each step trained"


def write_docs(world: World, commit: str | None, docs: Path) -> None:
    """``replay.md`` and ``pictures/replay.png``."""
    told, found = commit_of(world, commit), finished(world)
    seconds, trials = data_seconds(world, found.nows), trials_of(world)
    (docs / "replay.md").write_text(docs_page(found, seconds, trials, told))
    with tempfile.TemporaryDirectory() as made:
        page = Path(made) / "replay.html"
        page.write_text(render_page(found, USE_CASE.name, trials, seconds))
        pictured(page, docs / "pictures" / "replay.png", SIZE)


def main() -> int:
    """Write the docs of a replay; 1 when it is not finished."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, help="the replay's folder")
    parser.add_argument("--commit", help="what played it, where the replay has no record of it")
    given = parser.parse_args()
    bootstrap_project(ROOT)
    try:
        write_docs(World(given.folder.absolute(), ROOT), given.commit, ROOT / "docs")
    except ReplayError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
