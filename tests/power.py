"""How often the monitor's alarms are false, and how surely they notice what went wrong, on real days.

Models like the champion are fitted every four weeks on what was known, as a training would have, and watched on the
four weeks after their holdout. Weeks put together from those days go through the monitor's own functions, as they were
and damaged. ``make power`` prints the table and writes docs/power.md and its picture.
"""

import argparse
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
from kedro.framework.context import KedroContext
from kedro.framework.session import KedroSession
from kedro.framework.startup import bootstrap_project
from pyspark.sql import DataFrame
from pyspark.sql import functions as F
from rich.console import Console

from lakehouse_ml.flights import USE_CASE
from lakehouse_ml.lakehouse.labelled import latest_labels
from lakehouse_ml.lakehouse.run import Run
from lakehouse_ml.pipelines.feature_engineering.gold import build_family
from lakehouse_ml.pipelines.monitoring.alerts import DriftParams
from lakehouse_ml.pipelines.monitoring.counting import ProfileParams
from lakehouse_ml.pipelines.monitoring.history import recent_files
from lakehouse_ml.pipelines.monitoring.invariants import InvariantParams
from lakehouse_ml.pipelines.monitoring.landed import DataParams
from lakehouse_ml.pipelines.monitoring.outcomes import OutcomeParams
from lakehouse_ml.pipelines.monitoring.rules import QualityParams
from lakehouse_ml.pipelines.monitoring.windows import WindowParams
from lakehouse_ml.pipelines.training.provenance import code_of
from lakehouse_ml.registry import Champion
from lakehouse_ml.use_case import Family
from power_damage import DAMAGES, FAMILY_DAYS, Damage
from power_lives import Kind, Life, lives
from power_rates import Draws, Seen, WatchedWeek, study
from power_report import as_table, write_page
from power_watch import WEEK, Feed, Monitor, Week, damaged, data_findings, drawn_week, watch, week_of

ROOT = Path(__file__).parent.parent
SEED = 20130101


@dataclass(frozen=True)
class Size:
    """How much is drawn.

    Attributes:
        weeks: Sound weeks watched, of every model.
        damaged: Of these, how many are also damaged in every way.
        draws: Quarters and episodes drawn from them.
    """

    weeks: int = 60
    damaged: int = 20
    draws: int = 4000


def rows_of(features: DataFrame, labels: DataFrame, run: Run) -> pd.DataFrame:
    """Every feature row with its outcome: label, label_known_at (naive UTC), is_resolved; predict_date as date."""
    known = latest_labels(labels, run.as_of).select(
        "key", F.col(USE_CASE.labels.column).alias("label"), "label_known_at"
    )
    rows = features.join(F.broadcast(known), "key", "left").toPandas()
    return rows.assign(is_resolved=rows["label_known_at"].notna()).sort_values(
        ["predict_at", "key"], ignore_index=True
    )


def short_families(source: str) -> list[Family]:
    """The families that read the source and forget within days."""
    return [f for f in USE_CASE.families if source in f.inputs and f.lookback.days <= FAMILY_DAYS]


def rebuilt(damage: Damage, context: KedroContext, run: Run, days: list[date]) -> tuple[pd.DataFrame, dict]:
    """Features and labels from the records as the damage leaves them, by key, and the lines rejected by day."""
    contract = next(contract for contract in USE_CASE.sources if contract.name == damage.source)
    records = damage.records(context.catalog.load(f"silver_{damage.source}"))
    is_kept = F.expr(
        " AND ".join(f"coalesce({rule.sql}, false)" for rule in contract.row_rules if rule.action != "warn")
    )
    rejected = records.where(~is_kept).groupBy(F.to_date("published_at").alias("day")).count().collect()
    kept = records.where(is_kept)
    parts = [
        family_features(family, damage, kept, context, run, days) for family in short_families(damage.source)
    ]
    truth = latest_labels(USE_CASE.labels.build(kept), run.as_of)
    label = F.col(USE_CASE.labels.column).alias("label")
    parts.append(truth.select("key", label, F.lit(True).alias("is_resolved")).toPandas().set_index("key"))
    found = pd.concat(parts, axis=1)
    return found.assign(is_resolved=found["is_resolved"].notna()), dict(rejected)


def family_features(
    family: Family, damage: Damage, kept: DataFrame, context: KedroContext, run: Run, days: list[date]
) -> pd.DataFrame:
    """A family built anew, by key."""
    names = (*family.inputs, *family.references)
    tables = [kept if name == damage.source else context.catalog.load(f"silver_{name}") for name in names]
    entities = context.catalog.load(f"gold_{USE_CASE.entities}")
    return build_family(family, days, run, entities, *tables).toPandas().set_index("key")


def read(context: KedroContext) -> tuple[pd.DataFrame, Feed, Kind, str]:
    """All that the study needs from the lakehouse, and the champion's role."""
    catalog, run = context.catalog, context.catalog.load("run")
    rows = rows_of(catalog.load("gold_features"), catalog.load("gold_labels"), run)
    days = sorted(rows["predict_date"].unique())
    found = {d.name: rebuilt(d, context, run, days) for d in DAMAGES if d.records is not None}
    files = recent_files(catalog.load("ops_ingestion_log"), catalog.load("ops_runs"), run)
    feed = Feed(
        # As if each day's had been taken when it ended.
        files=files.assign(taken=pd.to_datetime(files["day"]) + pd.Timedelta(days=1)),
        rebuilt={name: frame for name, (frame, _) in found.items()},
        rejected={name: lines for name, (_, lines) in found.items()},
    )
    champion = catalog.load("ml_champion")
    return rows, feed, kind_of(champion, context), champion.role


def kind_of(champion: Champion, context: KedroContext) -> Kind:
    """The champion's kind of model, and how it is profiled."""
    params = ProfileParams(**shipped(context)["profile"])
    return Kind(champion.model, champion.threshold, USE_CASE.costs, params)


def shipped(context: KedroContext) -> Mapping:
    """The monitor's parameters as they stand in the environment's conf."""
    return context.config_loader["parameters"]["monitoring"]


def monitor_of(params: Mapping, kind: Kind) -> Monitor:
    """The shipped monitor; intervals, of which no decision needs many draws, are drawn a hundred times."""
    return Monitor(
        windows=WindowParams(**params["windows"]),
        quality=QualityParams(**{**params["quality"], "draws": 100}),
        drift=DriftParams(**params["drift"]),
        data=DataParams(**params["data"]),
        invariants=InvariantParams(**params["invariants"]),
        outcomes=OutcomeParams(**params["outcomes"]),
        kind=kind,
        use_case=USE_CASE,
    )


def see(found: Sequence[Life], feed: Feed, monitor: Monitor, size: Size) -> Seen:
    """Sound and damaged weeks of every model, watched."""
    generator = np.random.default_rng(SEED)
    drawn = [
        (number, drawn_week(life, generator)) for number, life in enumerate(found) for _ in range(size.weeks)
    ]
    chosen = [place for place in range(len(drawn)) if place % size.weeks < size.damaged]
    some = [drawn[place] for place in chosen]
    sound = watched(drawn, None, feed, monitor)
    days = sorted({day for life in found for day in life.rows["predict_date"]})
    return Seen(
        sound=sound,
        damaged={damage.name: watched(some, damage, feed, monitor) for damage in DAMAGES},
        spared=[sound[place] for place in chosen],
        real=watched(list(real_weeks(found)), None, feed, monitor),
        days=(days[0], days[-1]),
    )


def draws_of(monitor: Monitor, size: Size) -> Draws:
    """Draws that know the shipped rules about several weeks."""
    return Draws(size.draws, SEED, tuple(rule for rule in monitor.quality.rules if rule.windows > 1))


def real_weeks(found: Sequence[Life]) -> Iterator[tuple[int, Week]]:
    """The weeks as they were."""
    for number, life in enumerate(found):
        days = sorted(life.rows["predict_date"].unique())
        for start in range(0, len(days) - WEEK + 1, WEEK):
            yield number, week_of(life, tuple(days[start : start + WEEK]))


def watched(
    weeks: list[tuple[int, Week]], damage: Damage | None, feed: Feed, monitor: Monitor
) -> list[WatchedWeek]:
    """What is found in each week, landed files included."""
    days = sorted({day for _, week in weeks for day in week.days})
    landed = data_findings(feed, damage, days, monitor)
    found = []
    for life, week in weeks:
        seen = watch(week if damage is None else damaged(week, damage, feed, monitor), monitor, life)
        rules = {rule: tick for tick, day in reversed([*enumerate(week.days, 1)]) for rule in landed[day]}
        found.append(replace(seen, found={**rules, **seen.found}))
    return found


def main() -> int:
    """Print the table and write the page; 1 when the promise does not hold."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--env", default=None)
    bootstrap_project(ROOT)
    with KedroSession.create(ROOT, env=parser.parse_args().env) as session:
        context = session.load_context()
        rows, feed, kind, role = read(context)
        monitor = monitor_of(shipped(context), kind)
    seen = see(list(lives(rows, kind)), feed, monitor, Size())
    found = study(seen, draws_of(monitor, Size()))
    Console(width=160).print(as_table(found))
    commit, is_dirty = code_of(ROOT)
    write_page(found, role, f"`{commit}`{', with changes' if is_dirty else ''}", ROOT / "docs")
    return int(not found.holds)


if __name__ == "__main__":
    sys.exit(main())
