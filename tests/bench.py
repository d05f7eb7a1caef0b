"""Law 4 in numbers: a new day's run on nine months of history against one on four, and both in seconds.

Each lakehouse is built once by a whole run; then the days are run in turn, so that a busy machine slows both.
"""

import statistics
import sys
import tempfile
import time
from pathlib import Path

import pandas as pd
from rich.console import Console
from rich.table import Table

from lakehouse_ml.flights.feed import feed_records, feed_window, publish
from processes import finish, project_at, start_run

HISTORIES = {"four months": "2013-05-01", "nine months": "2013-10-01"}
DAYS = 3
DAILY = ("--pipelines", "daily")
MOST = 1.15


def land(project: Path, until: pd.Timestamp) -> None:
    """Play the clean feed until then."""
    records = feed_records()
    list(publish(records, project / "data/01_raw/test", feed_window(records, None, until, "day"), None))


def timed(project: Path, *arguments: str) -> float:
    """Seconds of a run in a process of its own."""
    started = time.monotonic()
    finish(start_run(project, *arguments))
    return time.monotonic() - started


def main() -> int:
    """Print the table; 1 when a day costs more on the longer history than allowed."""
    console, seconds = Console(), {name: [] for name in HISTORIES}
    with tempfile.TemporaryDirectory() as folder:
        projects = {name: project_at(Path(folder) / name.replace(" ", "_")) for name in HISTORIES}
        for name, until in HISTORIES.items():
            land(projects[name], pd.Timestamp(until, tz="UTC"))
            console.print(f"{name}: built in {timed(projects[name]):.0f} s")
        for day in range(1, DAYS + 1):
            for name, until in HISTORIES.items():
                land(projects[name], pd.Timestamp(until, tz="UTC") + pd.Timedelta(days=day))
                seconds[name].append(timed(projects[name], *DAILY))
    medians = {name: statistics.median(found) for name, found in seconds.items()}
    ratio = medians["nine months"] / medians["four months"]
    table = Table("history", "seconds of a new day", title=f"Ratio {ratio:.2f}, at most {MOST}")
    for name, found in seconds.items():
        table.add_row(name, ", ".join(f"{value:.1f}" for value in found))
    console.print(table)
    return int(ratio > MOST)


if __name__ == "__main__":
    sys.exit(main())
