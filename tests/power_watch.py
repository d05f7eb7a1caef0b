"""What the monitor finds, day by day, in a week that is put together from real days, sound or damaged.

Every decision is made by the functions of the monitoring pipeline with the shipped parameters; what is done here is
what Spark does there: handing them the rows that were known at each midnight.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from lakehouse_ml.lakehouse.run import Run
from lakehouse_ml.metrics import resample
from lakehouse_ml.pipelines.monitoring.alerts import DriftParams, drift_alerts, quality_alerts
from lakehouse_ml.pipelines.monitoring.counting import INPUT, Counted, Span
from lakehouse_ml.pipelines.monitoring.drift import drift_rows
from lakehouse_ml.pipelines.monitoring.findings import Finding
from lakehouse_ml.pipelines.monitoring.invariants import (
    InvariantParams,
    feature_breaches,
    invariant_alerts,
    score_breaches,
)
from lakehouse_ml.pipelines.monitoring.landed import DataParams, data_alerts
from lakehouse_ml.pipelines.monitoring.outcomes import OutcomeParams, outcome_alerts
from lakehouse_ml.pipelines.monitoring.profile import span_rows
from lakehouse_ml.pipelines.monitoring.quality import Standards, is_complete, quality_rows, ratios
from lakehouse_ml.pipelines.monitoring.rules import QualityParams
from lakehouse_ml.pipelines.monitoring.windows import Window, WindowParams, midnight
from lakehouse_ml.use_case import UseCase
from power_damage import AUC_LOST, Damage, share_to_lose, shuffled
from power_lives import Kind, Life, counted_days, scored
from power_rates import WatchedWeek

WEEK = 7
# A window that waits for its last outcomes is complete a few days after its end.
LAST_TICK = 10


@dataclass(frozen=True)
class Monitor:
    """The monitor's rules and parameters as they are shipped."""

    windows: WindowParams
    quality: QualityParams
    drift: DriftParams
    data: DataParams
    invariants: InvariantParams
    outcomes: OutcomeParams
    kind: Kind
    use_case: UseCase
    seed: int = 1

    @cached_property
    def families(self) -> dict[str, tuple[str, ...]]:
        """Features by family."""
        return {family.name: family.contract.names for family in self.use_case.families}

    @cached_property
    def sources(self) -> tuple[str, ...]:
        """The sources by name."""
        return tuple(contract.name for contract in self.use_case.sources)


@dataclass(frozen=True)
class Feed:
    """What landed, and what a damage of the records makes of it.

    Attributes:
        files: ``file_history``: landed lines by source and day.
        rebuilt: By damage, columns that replace those of the rows, by key.
        rejected: By damage, further lines rejected by day of publication.
    """

    files: pd.DataFrame
    rebuilt: Mapping[str, pd.DataFrame]
    rejected: Mapping[str, Mapping[date, int]]


@dataclass(frozen=True)
class Week:
    """Seven days of one model's life, a Monday's to a Sunday's, that need not have followed each other.

    Attributes:
        life: The model.
        days: The real day of each weekday.
        rows: Their rows, moved to the days of the first week of the life.
    """

    life: Life
    days: tuple[date, ...]
    rows: pd.DataFrame

    @property
    def monday(self) -> date:
        """First day of the week into which the rows were moved."""
        return monday_of(self.life)


def monday_of(life: Life) -> date:
    """First day of a life's watched weeks."""
    first: date = life.rows["predict_date"].min()
    return first


def drawn_week(life: Life, generator: np.random.Generator) -> Week:
    """A week whose beginning is one real week's and whose end is another's, or the same one's."""
    weeks = (life.rows["predict_date"].max() - monday_of(life)).days // WEEK + 1
    first, second = generator.integers(weeks, size=2)
    cut = int(generator.integers(1, WEEK))
    starts = [int(first) if place < cut else int(second) for place in range(WEEK)]
    days = [monday_of(life) + timedelta(days=WEEK * start + place) for place, start in enumerate(starts)]
    return week_of(life, tuple(days))


def week_of(life: Life, days: tuple[date, ...]) -> Week:
    """The rows of the days, moved to the first week of the life in their order."""
    monday = monday_of(life)
    parts = [
        moved(life.rows[life.rows["predict_date"] == day], monday + timedelta(days=place), day)
        for place, day in enumerate(days)
    ]
    return Week(life, days, pd.concat(parts, ignore_index=True))


def moved(rows: pd.DataFrame, to: date, day: date) -> pd.DataFrame:
    """A real day's rows as if they were another's."""
    known = rows["label_known_at"] + pd.Timedelta(days=(to - day).days)
    return rows.assign(predict_date=to, label_known_at=known)


def damaged(week: Week, damage: Damage, feed: Feed, monitor: Monitor) -> Week:
    """The week as the damage leaves it, scored again where features changed."""
    rows = week.rows
    if damage.name in feed.rebuilt:
        new = feed.rebuilt[damage.name].reindex(rows["key"])
        rows = rows.assign(**{name: new[name].to_numpy() for name in new.columns})
    if damage.rows is not None:
        rows = damage.rows(rows)
    if damage.rows is not None or damage.records is not None:
        rows = week.life.score(rows)
    if damage.is_blind:
        rows = blinded(rows, monitor)
    late = pd.Timedelta(days=damage.late_by_days)
    return replace(week, rows=rows.assign(label_known_at=rows["label_known_at"] + late))


def blinded(rows: pd.DataFrame, monitor: Monitor) -> pd.DataFrame:
    """Scores shuffled until the AUC of the week is the damage's lower."""

    def auc(share: float) -> float:
        mixed = rows.assign(score=shuffled(rows["score"], share, monitor.seed))
        found = scored(mixed, monitor.kind)
        return float(resample("roc_auc", found, np.ones((1, int(found.day.max()) + 1)))[0])

    share = share_to_lose(AUC_LOST, auc)
    return rows.assign(score=shuffled(rows["score"], share, monitor.seed))


def watch(week: Week, monitor: Monitor, life: int = 0) -> WatchedWeek:
    """Rules that fire in the week alone, and what rules about several weeks look at."""
    measured = next((tick for tick in range(WEEK, LAST_TICK + 1) if is_over(week, tick, monitor)), None)
    row = None if measured is None else measured_row(week, measured, monitor)
    found: dict[str, int] = {}
    for tick, finding in findings(week, monitor, measured or LAST_TICK):
        found.setdefault(finding.rule, tick)
    if measured is None or row is None:
        return WatchedWeek(life, found)
    for finding in quality_alerts(pd.DataFrame([row]), week.life.watched, owners=monitor.use_case.owners):
        found.setdefault(finding.rule, measured)
    return WatchedWeek(life, found, ratios(row)["roc_auc_shortfall"], measured)


def is_over(week: Week, tick: int, monitor: Monitor) -> bool:
    """Whether the week counts as complete at a midnight after its end."""
    return is_complete(resolved_at(week, as_run(week, tick), monitor), monitor.quality)


def as_run(week: Week, tick: int) -> Run:
    """The run at a midnight of the week."""
    return Run(f"tick-{tick}", midnight(week.monday + timedelta(days=tick)), {})


def findings(week: Week, monitor: Monitor, until: int) -> Iterator[tuple[int, Finding]]:
    """Everything but quality that is found at each midnight, until the week's outcomes are in."""
    owners, days = monitor.use_case.owners, counted_days(week.rows, week.life.edges)
    counted = Counted((), days, week.life.edges)
    for tick in range(1, until + 1):
        run = as_run(week, tick)
        resolved = resolved_at(week, run, monitor)
        found = outcome_alerts(resolved, run, monitor.outcomes, owners=owners)
        if tick <= WEEK:
            so_far = replace(counted, days={day: of for day, of in days.items() if day < run.as_of.date()})
            found += invariants_of(so_far, resolved, week, run, monitor)
        if tick == WEEK:
            found += drift_alerts(drift_of(week, counted, monitor), monitor.drift, owners=owners)
        yield from ((tick, finding) for finding in found)


def invariants_of(
    counted: Counted, resolved: pd.DataFrame, week: Week, run: Run, monitor: Monitor
) -> list[Finding]:
    """What the days so far must keep and do not."""
    features = feature_breaches(counted, week.life.training, run, monitor.windows, monitor.invariants)
    scores = score_breaches(resolved, run, monitor.windows, monitor.invariants)
    return invariant_alerts(
        features,
        scores,
        monitor.invariants,
        families=monitor.families,
        owners=monitor.use_case.owners,
    )


def resolved_at(week: Week, run: Run, monitor: Monitor) -> pd.DataFrame:
    """What ``resolve_predictions`` gives at a midnight."""
    now = pd.Timestamp(run.as_of).tz_localize(None)
    rows = week.rows[week.rows["predict_date"] < run.as_of.date()]
    known = rows["label_known_at"] <= now
    return pd.DataFrame(
        {
            "model_version": week.life.watched.version,
            "model_digest": week.life.watched.digest,
            "window_start": week.monday,
            "window_end": week.monday + timedelta(days=WEEK),
            "predict_date": rows["predict_date"],
            "score": rows["score"],
            "threshold": monitor.kind.threshold,
            "is_resolved": known & rows["is_resolved"],
            "is_measured": False,
            "label": rows["label"].where(known, None),
        }
    )


def drift_of(week: Week, counted: Counted, monitor: Monitor) -> pd.DataFrame:
    """``drift_history`` of the one window."""
    window = Window(week.monday, week.monday + timedelta(days=WEEK))
    inputs = span_rows(Span(INPUT, window), counted, monitor.kind.profile.frequent_items)
    profiles = pd.DataFrame([*week.life.training.values(), *inputs])
    ends = {
        f"window_{end}": [pd.Timestamp(window[end]).tz_localize(None) for window in profiles["window"]]
        for end in ("start", "end")
    }
    found = pd.DataFrame(drift_rows(profiles.assign(**ends).drop(columns="window"), set()))
    plain = found[found["data_type"] != "table"].drop(columns=["window", "window_cmp"])
    return plain.assign(model_version=week.life.watched.version, window_start=pd.Timestamp(week.monday))


def measured_row(week: Week, tick: int, monitor: Monitor) -> Mapping[str, Any]:
    """The row of ``ops.quality_windows``, written at that midnight."""
    resolved = resolved_at(week, as_run(week, tick), monitor)
    standards = Standards({week.life.watched.digest: week.life.holdout}, {})
    (row,) = quality_rows(resolved, standards, monitor.quality, monitor.seed, monitor.kind.costs)
    return row


def data_findings(
    feed: Feed, damage: Damage | None, days: Sequence[date], monitor: Monitor
) -> dict[date, set[str]]:
    """Rules about the landed files that fire at the midnight after each real day."""
    found = {}
    for day in days:
        files = feed.files[pd.to_datetime(feed.files["day"]) <= pd.Timestamp(day)]
        if damage is not None and damage.name in feed.rejected:
            more = feed.rejected[damage.name].get(day, 0)
            today = (files["source"] == damage.source) & (files["day"] == day)
            files = files.assign(quarantined=files["quarantined"].where(~today, files["quarantined"] + more))
        run = Run("files", midnight(day + timedelta(days=1)), {})
        alerts = data_alerts(
            files, run, monitor.data, sources=monitor.sources, owners=monitor.use_case.owners
        )
        found[day] = {alert.rule for alert in alerts}
    return found
