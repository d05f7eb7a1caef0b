"""What earlier runs left in the ops tables, as the small frames that alerts and pages are made from."""

import json
from collections import Counter
from collections.abc import Iterable

import pandas as pd
from pydantic import Field
from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F

from lakehouse_ml.lakehouse.run import Run
from lakehouse_ml.pipelines.monitoring.champion import Watched
from lakehouse_ml.pipelines.monitoring.params import Params


class HistoryParams(Params):
    """How far back pages look.

    Attributes:
        days: Other models' quality windows, and landed files, days before the run's now.
        decisions: Newest rows of the promotion ledger.
        runs: Newest runs of the event log.
    """

    days: int = Field(ge=7)
    decisions: int = Field(ge=1)
    runs: int = Field(ge=1)


def recent_quality(windows: DataFrame, champion: Watched, run: Run, params: HistoryParams) -> pd.DataFrame:
    """Complete windows, all of the champion's and the others' of the last days: columns of ``ops.quality_windows``.

    However long the champion fails, since when it does is among them.
    """
    first = F.date_sub(F.lit(run.as_of.date()), params.days)
    wanted = (F.col("window_start") >= first) | (F.col("model_version") == champion.version)
    return windows.where(wanted).orderBy("window_start", "model_version").toPandas()


def recent_drift(drift: DataFrame, champion: Watched) -> pd.DataFrame:
    """The drift of the champion's features: the plain columns of ``ops.drift_metrics`` and window_start (UTC)."""
    mine = drift.where((F.col("model_version") == champion.version) & (F.col("data_type") != "table"))
    plain = [name for name, kind in drift.dtypes if not kind.startswith("struct")]
    return (
        mine.select(*plain, F.col("window.start").alias("window_start"))
        .orderBy("drift_type", "window_start", "column_name")
        .toPandas()
    )


def recent_files(log: DataFrame, runs: DataFrame, run: Run) -> pd.DataFrame:
    """Landed lines by source and day of publication, up to the run's now.

    Args:
        log: ``ops_ingestion_log``; of a file that was replayed the highest sequence counts.
        runs: ``ops_runs``: which run took a file.
        run: Its now; what the platform lands bears the wall clock, years after data that is played.

    Returns:
        One row per source and day: source, day (date, UTC), taken (the now of the run that first took the last of its
        files, UTC; in a replay's policies that of their first step), newest (end of the newest period with news:
        records that stood in no file taken before, UTC), files, unreadable (files), misnamed (names of files, in
        order), lines, accepted, duplicates, quarantined, warnings (lines by rule that only warns, unknown and missing
        fields by name).
    """
    file = Window.partitionBy("file")
    newest, first_logged = file.orderBy(F.desc("sequence")), F.min("logged_at").over(file)
    known = log.where(F.col("period_start") < F.lit(run.as_of))
    placed = known.withColumns({"_place": F.row_number().over(newest), "_first_logged": first_logged})
    current = placed.where("_place = 1")
    # Old records under a new name are no news. Which of two files with the same records accepted them depends on the
    # order in which they were taken, but one of them did, and a publication of its own has a published_at of its own.
    has_news = F.col("accepted") > 0
    warned = F.when(F.size("warnings") > 0, F.to_json("warnings"))
    found = (
        current.groupBy("source", F.to_date("period_start").alias("day"))
        .agg(
            F.max("_first_logged").alias("logged_at"),
            F.max(F.when(has_news, F.col("period_end"))).alias("newest"),
            F.count("*").alias("files"),
            F.count_if(F.col("status").isin("unreadable", "failed")).alias("unreadable"),
            F.sort_array(F.collect_list(F.when(F.col("status") == "misnamed", F.col("file")))).alias(
                "misnamed"
            ),
            *(F.sum(name).alias(name) for name in ("lines", "accepted", "duplicates", "quarantined")),
            F.collect_list(warned).alias("warnings"),
        )
        .orderBy("source", "day")
        .toPandas()
    )
    return _with_taken(found, runs).assign(warnings=found["warnings"].map(_added_up))


def _with_taken(found: pd.DataFrame, runs: DataFrame) -> pd.DataFrame:
    """A run is put on record when its ingestion ends: the first one after a file was logged is the one that took it."""
    opened = runs.select("opened_at", F.col("as_of").alias("taken")).orderBy("opened_at").toPandas()
    ordered = found.reset_index().sort_values("logged_at")
    joined = pd.merge_asof(ordered, opened, left_on="logged_at", right_on="opened_at", direction="forward")
    return joined.set_index("index").sort_index().drop(columns=["logged_at", "opened_at"])


def _added_up(texts: Iterable[str]) -> dict[str, int]:
    """Counts by name, over JSON objects of such counts."""
    return dict(sum((Counter(json.loads(text)) for text in texts), Counter()))


def recent_decisions(ledger: DataFrame, champion: Watched, params: HistoryParams) -> pd.DataFrame:
    """The newest rows of the promotion ledger, newest first, and those that moved the alias to the champion.

    Returns:
        The ledger's plain columns, and models (JSON by role, as training handed them over; None where the
        row holds no evidence of a training).
    """
    columns = (
        "sequence", "event", "run_id", "as_of", "actor", "decision", "elected", "model_version", "reasons",
        "champion_before", "champion_after",
    )  # fmt: skip
    place = F.row_number().over(Window.orderBy(F.desc("sequence")))
    moved = (F.col("event") == "moved") & (F.col("champion_after") == champion.version)
    wanted = (F.col("_place") <= params.decisions) | moved
    return (
        ledger.select(*columns, "evidence", place.alias("_place"))
        .where(wanted)
        .orderBy("_place")
        .withColumn("models", F.get_json_object("evidence", "$.evidence.trained.models"))
        .drop("_place", "evidence")
        .toPandas()
    )


def recent_stages(events: DataFrame, params: HistoryParams) -> pd.DataFrame:
    """Duration and commits of each stage in the newest runs.

    Args:
        events: ``ops.event_log`` before this run, which writes its own events when it ends.
        params: How many runs. The tasks of a job, their repairs, and what was run on the same now since are one.

    Returns:
        One row per run and stage, see :func:`stage_totals`.
    """
    flows = events.where("event_type = 'flow_progress'")
    runs = flows.groupBy("origin.run_id").agg(F.min("timestamp").alias("started"))
    newest = runs.orderBy(F.desc("started")).limit(params.runs)
    columns = ("origin.run_id", "origin.pipeline_name", "timestamp", "details")
    return stage_totals(flows.select(*columns).join(newest, "run_id").toPandas())


def stage_totals(flows: pd.DataFrame) -> pd.DataFrame:
    """What the stages of each run took; failed flows took their time, too.

    Args:
        flows: ``flow_progress`` events: run_id, started (of the run), pipeline_name, timestamp (of the end), details.

    Returns:
        One row per run and stage in the order in which they ended: run_id, started (wall clock, UTC), stage,
        duration_s (seconds in which at least one flow of the stage was at work), commits.
    """
    details = pd.DataFrame([json.loads(text) for text in flows["details"]], index=flows.index)
    # Only a log without a flow lacks the columns.
    numbers = details.reindex(columns=["duration_s", "commits"]).astype("float64")
    parts = flows.rename(columns={"pipeline_name": "stage", "timestamp": "ended"}).join(numbers)
    parts["begun"] = parts["ended"] - pd.to_timedelta(parts["duration_s"], unit="s")
    parts = parts.sort_values("begun")
    stages = parts.groupby(["run_id", "started", "stage"], sort=False)
    # Flows work side by side: what two of them share counts once.
    parts["worked_until"] = stages["ended"].cummax()
    alone_from = stages["worked_until"].shift().fillna(parts["begun"]).clip(lower=parts["begun"])
    parts["duration_s"] = (parts["ended"] - alone_from).dt.total_seconds().clip(lower=0.0)
    totals = stages.agg({"ended": "max", "duration_s": "sum", "commits": "sum"}).reset_index()
    return totals.sort_values(["started", "ended"], ignore_index=True).drop(columns="ended")
