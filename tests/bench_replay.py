"""Each replayed week in seconds: data part and policy, training aside, in one process that is warm."""

import sys
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path

from kedro.framework.startup import bootstrap_project
from rich.console import Console
from rich.table import Table

from lakehouse_ml.cli.replaying import flights_feed
from lakehouse_ml.replay.data_part import play_data
from lakehouse_ml.replay.policies import POLICIES
from lakehouse_ml.replay.policy_part import play_policy
from lakehouse_ml.replay.steps import moments
from lakehouse_ml.replay.world import World, build_world
from processes import ROOT, project_at

START, WEEK, WEEKS = datetime(2013, 4, 1, tzinfo=UTC), timedelta(days=7), 5
# The first step holds three months, or the first training; the second one starts Java and Python workers.
WARM_FROM = 2
MOST = 60.0


def main(folder: Path) -> int:
    """Print the table; 1 when a warm week costs more than allowed."""
    bootstrap_project(ROOT)
    world = World(folder / "replay", project_at(folder / "project"))
    build_world(world, "dev", tuple(POLICIES), "")
    steps = list(play_data(world, moments(START, START + WEEKS * WEEK, WEEK), flights_feed([])))
    played = list(play_policy(world, "never", steps, ()))
    weeks = [data.seconds + policy.seconds for data, policy in zip(steps, played, strict=True)][WARM_FROM:]
    table = Table("week until", "data part", "policy", title=f"{max(weeks):.0f} s, at most {MOST:.0f}")
    for data, policy in zip(steps, played, strict=True):
        table.add_row(f"{data.as_of:%Y-%m-%d}", f"{data.seconds:.1f}", f"{policy.seconds:.1f}")
    Console().print(table)
    return int(max(weeks) > MOST)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as made:
        sys.exit(main(Path(made)))
