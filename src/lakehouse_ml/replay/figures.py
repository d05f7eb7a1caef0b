"""The comparison's figures as rows of text, for the page and for a terminal."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from statistics import median

import pandas as pd
from rich.box import SIMPLE
from rich.table import Table

from lakehouse_ml.pipelines.monitoring.findings import RETRAIN
from lakehouse_ml.pipelines.monitoring.lifecycle import OPENED
from lakehouse_ml.replay.comparison import METRICS, Comparison, pairs
from lakehouse_ml.replay.story import Story

HEADINGS = (
    "AP",
    "AUC",
    "Brier",
    "Cost",
    "Trained",
    "Promoted",
    "Refused",
    "Alerts",
    "Held back",
)
DIFFERENCE_HEADINGS = ("Policies", "AP", "AUC", "Brier", "Cost")
STEP_HEADINGS = ("Part", "Steps", "Median", "Longest")
FATE_HEADINGS = (
    "Incident",
    "Policy",
    "Damaged",
    "Noticed: first alert or decision",
    "Contained: nothing promoted meanwhile",
    "Healed: last alert closed",
)


def policy_rows(comparison: Comparison) -> Iterator[tuple[str, ...]]:
    """Policy and the columns of ``HEADINGS``, of every policy."""
    for policy, story in comparison.stories.items():
        values = [comparison.overall(policy, metric) for metric in METRICS]
        shown = (f"{row['value']:.4f} [{row['low']:.4f}, {row['high']:.4f}]" for row in values)
        yield policy, *shown, *_counts(story)


def difference_rows(comparison: Comparison) -> Iterator[tuple[str, ...]]:
    """The columns of ``DIFFERENCE_HEADINGS``, of every pair of policies."""
    for policy, minus in pairs(comparison.stories):
        found = (signed(comparison.difference(policy, minus, metric)) for metric in METRICS)
        yield f"{policy} minus {minus}", *found


def signed(row: "pd.Series") -> str:
    """A difference with its interval."""
    return f"{row['value']:+.4f} [{row['low']:+.4f}, {row['high']:+.4f}]"


def _counts(story: Story) -> tuple[str, ...]:
    decisions = [training.decision for training in story.trainings]
    alerts = story.alerts[(story.alerts["event"] == OPENED) & (story.alerts["rule"] != RETRAIN)]
    counts = [
        len(decisions),
        *map(decisions.count, ("promoted", "refused")),
        len(alerts),
        len(story.held_back),
    ]
    return tuple(str(count) for count in counts)


def fate_rows(comparison: Comparison) -> Iterator[tuple[str, ...]]:
    """The columns of ``FATE_HEADINGS``, of every incident under every policy."""
    for place, incident in enumerate(comparison.incidents):
        for policy, fates in comparison.fates.items():
            fate = fates[place]
            yield (
                incident.name,
                policy,
                f"{incident.start:%m-%d} to {incident.end:%m-%d}",
                _moment(fate.noticed, fate.noticed_by),
                _moment(fate.contained, fate.contained_by),
                _moment(fate.healed, ""),
            )


def _moment(at: datetime | None, by: str) -> str:
    when = "not" if at is None else f"{at:%m-%d}"
    return f"{when}: {by}" if by else when


def step_rows(comparison: Comparison, data_seconds: Sequence[float]) -> Iterator[tuple[str, str, str, str]]:
    """Part, steps, median and longest in seconds of wall clock, of each part after the first step.

    Args:
        comparison: The policies.
        data_seconds: What the steps of the data part took after the first one.
    """
    yield from _took("data part", data_seconds)
    for policy, story in comparison.stories.items():
        trained = {training.as_of for training in story.trainings}
        steps = story.steps[1:]
        yield from _took(f"{policy}, no training", [s.seconds for s in steps if s.as_of not in trained])
        yield from _took(f"{policy}, with a training", [s.seconds for s in steps if s.as_of in trained])


def _took(part: str, seconds: Sequence[float]) -> Iterator[tuple[str, str, str, str]]:
    if seconds:
        yield part, str(len(seconds)), f"{median(seconds):.0f} s", f"{max(seconds):.0f} s"


def policy_table(comparison: Comparison) -> Table:
    """The policies for a terminal."""
    return _plain("Policies, 95 % intervals by days", ("policy", *HEADINGS), policy_rows(comparison))


def difference_table(comparison: Comparison) -> Table:
    """The policies against each other for a terminal."""
    return _plain("Differences on the same days", DIFFERENCE_HEADINGS, difference_rows(comparison))


def fate_table(comparison: Comparison) -> Table:
    """The incidents for a terminal."""
    return _plain("Incidents", FATE_HEADINGS, fate_rows(comparison))


def _plain(title: str, names: tuple[str, ...], rows: Iterator[tuple[str, ...]]) -> Table:
    table = Table(title=title, title_justify="left", title_style="bold", box=SIMPLE, pad_edge=False)
    for name in names:
        table.add_column(name)
    for row in rows:
        table.add_row(*row)
    return table
