"""When two lakehouses are equal: the same rows, whatever the files, the runs and the wall clock were."""

from collections.abc import Iterable
from pathlib import Path

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

# Which of two equal lines came first depends on the order of arrival; so does the split in the log.
SPLIT = {"accepted", "duplicates"}
CLOCK = {"logged_at", "opened_at", "recorded_at", "timestamp"}
# A model's files bear the moment that they were made, and so does all that is a hash over them or over the clock;
# reasons tell how fast the model answered and what memory it held.
_MODEL = ("model_digest",)
MADE_AT = {
    "ml.predictions": _MODEL,
    "ml.evaluations": (*_MODEL, "compared_digest"),
    "ops.promotion_ledger": (
        *_MODEL,
        "subject",
        "evidence",
        "evidence_hash",
        "previous_hash",
        "row_hash",
        "reasons",
    ),
}


def comparable(frame: DataFrame) -> DataFrame:
    """The columns that must be equal, as text: all but those of provenance, wall clock and split."""
    names = [n for n in frame.columns if not n.startswith("_") and n not in SPLIT | CLOCK]
    return frame.select(*(F.to_json(F.struct(name)).alias(name) for name in names))


def fingerprint(frame: DataFrame) -> tuple[int, int]:
    """Rows, and a sum of row hashes that no order changes."""
    hashed = comparable(frame).select(F.xxhash64("*").cast("decimal(38,0)").alias("hash"))
    row = hashed.agg(F.count("*"), F.coalesce(F.sum("hash"), F.lit(0))).collect()[0]
    return int(row[0]), int(row[1])


def fingerprints(spark: SparkSession, catalog: Path, tables: Iterable[str]) -> dict[str, tuple[int, int]]:
    """Fingerprint of each ``<schema>.<table>`` in the folder of a catalog, but for what bears a moment."""
    stored = {t: spark.read.format("delta").load(str(catalog / t.replace(".", "/"))) for t in tables}
    return {t: fingerprint(frame.drop(*MADE_AT.get(t, ()))) for t, frame in stored.items()}


def assert_balanced(spark: SparkSession, catalog: Path) -> None:
    """Every landed line is accounted for."""
    log = spark.read.format("delta").load(str(catalog / "ops" / "ingestion_log"))
    assert log.where("lines != accepted + duplicates + quarantined").count() == 0
