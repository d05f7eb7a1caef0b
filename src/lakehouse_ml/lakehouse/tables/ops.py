"""What runs did: ``ops.runs``, progress, ingestion log, event log, promotion ledger."""

from lakehouse_ml.lakehouse.contract import Column, Contract
from lakehouse_ml.lakehouse.tables.columns import AS_OF, RUN_ID, number, text

RUNS = Contract(
    table="ops.runs",
    grain="job run, written at the end of its ingestion",
    key=("run_id",),
    columns=(
        RUN_ID,
        AS_OF,
        Column("versions", "map<string,bigint>", "Delta version of every bronze and silver table"),
        Column("opened_at", "timestamp", "Wall clock", unit="UTC"),
    ),
    owner="platform",
)

PROGRESS = Contract(
    table="ops.progress",
    grain="how far a consumer has read a table; the highest version counts",
    key=("consumer", "table", "version", "as_of"),
    columns=(
        text("consumer", "Stage that reads"),
        text("table", "<schema>.<table> that is read"),
        number("version", "Last Delta version that the consumer's outputs contain", "bigint", required=True),
        Column("as_of", "timestamp", "The consumer's now when it finished", unit="UTC"),
    ),
    owner="platform",
)

INGESTION_LOG = Contract(
    table="ops.ingestion_log",
    grain="landing file; after a replay of its quarantined lines the highest sequence counts",
    key=("file", "sequence"),
    columns=(
        text("file", "Landing file, <source>/<period>.jsonl.gz; a misnamed one as it is named"),
        text("source", "Source of the file"),
        Column("period_start", "timestamp", "First moment of publication covered", unit="UTC"),
        Column("period_end", "timestamp", "End of the publication covered, exclusive", unit="UTC"),
        number("size_bytes", "Size as landed", "bigint", required=True),
        number("lines", "Landed lines = accepted + duplicates + quarantined", "bigint", required=True),
        number("accepted", "Lines that stand in silver", "bigint", required=True),
        number(
            "duplicates", "Lines whose revision stands in silver from another line", "bigint", required=True
        ),
        number("quarantined", "Lines rejected", "bigint", required=True),
        Column(
            "status",
            "string",
            "State of the file; nothing is taken of a misnamed one, whose period is that of the newest file beside it",
            rule="status IN ('ok', 'empty', 'unreadable', 'failed', 'misnamed')",
        ),
        Column(
            "warnings", "map<string,bigint>", "Lines by broken rule that only warns, unknown fields by name"
        ),
        Column("broken_rules", "map<string,bigint>", "Rejected lines by broken rule"),
        number("sequence", "1, and one more for each replay", "int", required=True),
        Column("logged_at", "timestamp", "Wall clock", unit="UTC"),
    ),
)

EVENT_LOG = Contract(
    table="ops.event_log",
    grain="event of a run; columns of the vendor's declarative-pipeline log",
    key=("id",),
    columns=(
        text("id", "Identifier of the event"),
        number("sequence", "Order within the run", "bigint", required=True),
        Column(
            "origin",
            "struct<run_id:string,pipeline_name:string,flow_name:string,dataset_name:string,environment:string>",
            "Where the event comes from",
        ),
        Column("timestamp", "timestamp", "Wall clock", unit="UTC"),
        text("message", "What happened, in words"),
        Column("level", "string", "Severity", rule="level IN ('INFO', 'WARN', 'ERROR', 'METRICS')"),
        text("event_type", "run_progress, flow_progress, dataset_saved"),
        text(
            "details", "JSON: durations in seconds, commits; error by type, in the words of this package only"
        ),
    ),
    owner="platform",
)

PROMOTION_LEDGER = Contract(
    table="ops.promotion_ledger",
    grain="event in the life of the champion: a chain of rows, each with the hash of the row before",
    key=("sequence",),
    columns=(
        number("sequence", "1, 2, 3, ...", "bigint", required=True),
        Column(
            "event",
            "string",
            "A decision or an approval, the move of the alias that it asked for, or its abandonment",
            rule="event IN ('decided', 'approved', 'moved', 'abandoned')",
        ),
        number("cause", "Sequence of the row that this one carries out; null: a decision", "bigint"),
        Column(
            "decision",
            "string",
            "Outcome",
            rule="decision IN ('promoted', 'awaiting_approval', 'refused', 'rolled_back')",
        ),
        text("actor", "Person or job that acts"),
        RUN_ID,
        AS_OF,
        text("subject", "SHA-256 over what is decided: decided once"),
        text("elected", "Role of the elected model; null: none", required=False),
        text("model_version", "Version registered; null: none", required=False),
        text("model_digest", "SHA-256 over the model's files; null: none", required=False),
        Column("reasons", "array<string>", "Every rule with value, limit and outcome; a person's note"),
        text("evidence", "JSON: the whole verdict; null where it stands in the row of the cause", False),
        text("evidence_hash", "SHA-256 of the evidence"),
        Column(
            "holdout_start", "date", "First day of the holdout that was judged", required=False, unit="UTC"
        ),
        Column("holdout_end", "date", "Day after the last day of that holdout", required=False, unit="UTC"),
        Column("input_versions", "map<string,bigint>", "Delta version of every table that training read"),
        text("git_commit", "Commit of the code; 'unknown' outside a checkout"),
        text("champion_before", "Version with the alias before; null: none", required=False),
        text("champion_after", "Version with the alias after; null: none", required=False),
        Column("recorded_at", "timestamp", "Wall clock", unit="UTC"),
        text("previous_hash", "SHA-256 of the row before; of the first row: zeros"),
        text("row_hash", "SHA-256 over all other columns of this row"),
    ),
    owner="ml platform",
    append_only=True,
)
