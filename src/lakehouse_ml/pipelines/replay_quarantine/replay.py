"""Check quarantined lines against today's rules, and count what became of them."""

from collections.abc import Sequence

from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F

from lakehouse_ml.lakehouse.accounting import counts_by_file, lines_by_source, outcomes, status
from lakehouse_ml.lakehouse.contract import Contract
from lakehouse_ml.lakehouse.quality import accepted, checked_lines


def replay(quarantined: DataFrame, contract: Contract) -> tuple[DataFrame, DataFrame]:
    """The source's quarantined lines, checked again; and of these the records that now keep every rule.

    Args:
        quarantined: ``quarantine_lines``.
        contract: The source's silver contract, as corrected.
    """
    lines = quarantined.where(F.col("source") == contract.name)
    checked = checked_lines(lines.withColumnRenamed("_bronze_version", "_commit_version"), contract)
    return checked, accepted(checked, contract)


def log_replay(ingestion_log: DataFrame, *frames: DataFrame, sources: Sequence[Contract]) -> DataFrame:
    """New rows of the ingestion log for the files whose balance the replay changed.

    Args:
        ingestion_log: ``ops_ingestion_log`` before the replay.
        *frames: Checked lines of every source, then silver of every source as written.
        sources: The sources' silver contracts, in the same order.
    """
    replayed = counts_by_file(outcomes(lines_by_source(frames, sources))).select(
        "file",
        F.col("accepted").alias("taken"),
        F.col("duplicates").alias("taken_duplicates"),
        F.col("rejected").alias("left"),
        F.col("broken_rules").alias("left_rules"),
    )
    return _changed(_first_and_newest(ingestion_log).join(replayed, "file")).select(*ingestion_log.columns)


def _first_and_newest(ingestion_log: DataFrame) -> DataFrame:
    """The first row of every file, with the newest one's sequence and quarantined lines."""
    by_file = Window.partitionBy("file").orderBy(F.desc("sequence"))
    newest = ingestion_log.withColumns(
        {
            "last_sequence": F.first("sequence").over(by_file),
            "last_quarantined": F.first("quarantined").over(by_file),
        }
    )
    return newest.where("sequence = 1")


def _changed(logged: DataFrame) -> DataFrame:
    return logged.where("left != last_quarantined").withColumns(
        {
            "accepted": F.col("accepted") + F.col("taken"),
            "duplicates": F.col("duplicates") + F.col("taken_duplicates"),
            "quarantined": F.col("left"),
            "broken_rules": F.col("left_rules"),
            "status": status(F.col("lines"), F.col("left_rules")),
            "sequence": F.col("last_sequence") + 1,
            "logged_at": F.current_timestamp(),
        }
    )
