"""What the tables themselves say about the holdout and about the data that came in."""

from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from pyspark.sql import DataFrame, Row
from pyspark.sql import functions as F
from pyspark.sql.window import Window

from lakehouse_ml.lakehouse.key_digest import key_digest
from lakehouse_ml.lakehouse.labelled import latest_labels
from lakehouse_ml.lakehouse.run import Run
from lakehouse_ml.lakehouse.tables import PLATFORM_SOURCES
from lakehouse_ml.pipelines.promotion.evidence import DataRecord, Declared, Landed, Recorded
from lakehouse_ml.pipelines.promotion.rule_set import PromotionRules


def declare_rows(candidates: dict[str, Any], entities: DataFrame, labels: DataFrame, label: str) -> Declared:
    """How many labelled rows the holdout has, which, and on which days, found out without the evaluation's help.

    Args:
        candidates: ``ml_candidates``: which days, and what was known by then.
        entities: The spine as training read it, one row per key.
        labels: ``gold_labels`` as training read it, one row per revision.
        label: Name of the label column.
    """
    now = datetime.fromisoformat(candidates["as_of"])
    start, end = (date.fromisoformat(candidates[name]) for name in ("holdout_start", "holdout_end"))
    asked = entities.where(
        (F.col("predict_date") >= F.lit(start))
        & (F.col("predict_date") < F.lit(end))
        & (F.col("predict_at") <= F.lit(now - timedelta(hours=candidates["label_wait_hours"])))
    )
    # No answer is known before its question.
    answers = latest_labels(
        labels.where(F.col("label_known_at") >= F.lit(datetime.combine(start, time(), UTC))), now
    )
    rows, positives, days, digest = (
        asked.join(answers.where(F.col(label).isNotNull()), "key")
        .agg(
            F.count_distinct("key"),
            F.count_if(F.col(label)),
            F.sort_array(F.collect_set("predict_date")),
            key_digest(F.col("key")),
        )
        .collect()[0]
    )
    return Declared(rows, positives, tuple(days), digest)


def record_data(
    candidates: dict[str, Any],
    log: DataFrame,
    alerts: DataFrame,
    declared: Declared,
    run: Run,
    rules: PromotionRules,
) -> Recorded:
    """The rows that the holdout has, what came in by the run's now, and what is wrong with it.

    Args:
        candidates: ``ml_candidates``: the first day that the models learned from.
        log: ``ops_ingestion_log``: the highest sequence of a file counts.
        alerts: ``ops.alerts``: so does the highest sequence of an alert.
        declared: See :func:`declare_rows`.
        run: The deciding run.
        rules: ``params:promotion.rules``: how long a rejected file is an open alert.
    """
    place = F.row_number().over(Window.partitionBy("file").orderBy(F.desc("sequence")))
    # No model learns from what the platform itself lands.
    own = ~F.col("source").isin([contract.name for contract in PLATFORM_SOURCES])
    known = log.where(own & (F.col("period_end") <= F.lit(run.as_of)))
    current = known.select("*", place.alias("_place")).where("_place = 1")
    since = run.as_of - timedelta(days=rules.data.alert_days)
    learned_from = date.fromisoformat(candidates["train_start"])
    found = _open_alerts(alerts.where(F.col("as_of") <= F.lit(run.as_of)))
    landed = _by_source(current, since, learned_from).collect()
    return Recorded(declared, _added_up(landed, learned_from, found))


def _open_alerts(alerts: DataFrame) -> tuple[tuple[str, str], ...]:
    newest = F.max_by(F.struct("event", "rule", "subject"), "sequence").alias("newest")
    events = alerts.where("about = 'data'").groupBy("alert_id").agg(newest).select("newest.*")
    rows = events.where("event != 'closed'").collect()
    return tuple(sorted((row["rule"], row["subject"]) for row in rows))


def _by_source(files: DataFrame, since: datetime, learned_from: date) -> DataFrame:
    adds_up = F.col("lines") == F.col("accepted") + F.col("duplicates") + F.col("quarantined")
    is_rejected = F.col("status").isin("unreadable", "failed") & (F.col("period_end") > F.lit(since))
    newest = F.max(F.when(F.col("accepted") > 0, F.col("period_end")))
    is_used = F.col("period_end") > F.lit(datetime.combine(learned_from, time(), UTC))
    return files.groupBy("source").agg(
        F.count("*").alias("files"),
        F.sum(F.when(is_used, F.col("lines")).otherwise(0)).alias("lines"),
        F.sum(F.when(is_used, F.col("quarantined")).otherwise(0)).alias("quarantined"),
        F.collect_list(F.when(~adds_up, F.col("file"))).alias("unbalanced"),
        F.collect_list(F.when(is_rejected, F.col("file"))).alias("rejected"),
        # Collected timestamps are in the machine's time zone; microseconds are not.
        F.unix_micros(newest).alias("newest"),
    )


def _added_up(
    sources: Sequence[Row], learned_from: date, open_alerts: tuple[tuple[str, str], ...]
) -> DataRecord:
    landed = (Landed(row["source"], row["lines"], row["quarantined"]) for row in sources)
    ends = {row["source"]: row["newest"] for row in sources if row["newest"] is not None}
    return DataRecord(
        files=sum(row["files"] for row in sources),
        learned_from=learned_from,
        landed=tuple(sorted((one for one in landed if one.lines), key=lambda one: one.source)),
        unbalanced=tuple(sorted(file for row in sources for file in row["unbalanced"])),
        rejected_files=tuple(sorted(file for row in sources for file in row["rejected"])),
        open_alerts=open_alerts,
        newest=tuple((name, datetime.fromtimestamp(end / 1e6, UTC)) for name, end in sorted(ends.items())),
    )
