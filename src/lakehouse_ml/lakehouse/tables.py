"""Contracts of the tables that every use case shares: ``ml`` and ``ops``."""

from lakehouse_ml.lakehouse.contract import Column, Contract
from lakehouse_ml.lakehouse.sources import QUARANTINE

RUN_ID = Column("run_id", "string", "Run that wrote the row")
AS_OF = Column("as_of", "timestamp", "The run's now", unit="UTC")
WINDOW = Column("window", "struct<start:timestamp,end:timestamp>", "Days covered, end exclusive", unit="UTC")


def text(name: str, description: str, required: bool = True) -> Column:
    """A string column."""
    return Column(name, "string", description, required)


def number(name: str, description: str, type_: str = "double", required: bool = False) -> Column:
    """A numeric column; null where the value does not exist."""
    return Column(name, type_, description, required)


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
        text("file", "Landing file, <source>/<period>.jsonl.gz"),
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
            "status", "string", "State of the file", rule="status IN ('ok', 'empty', 'unreadable', 'failed')"
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
        text("details", "JSON: durations in seconds, expectations, error"),
    ),
    owner="platform",
)

PREDICTIONS = Contract(
    table="ml.predictions",
    grain="entity x model version x role",
    key=("key", "model_version", "role"),
    columns=(
        text("key", "Key of the entity"),
        Column("predict_at", "timestamp", "Moment the prediction is for", unit="UTC"),
        Column("predict_date", "date", "Day of predict_at", unit="UTC"),
        Column("role", "string", "Why it was scored", rule="role IN ('champion', 'challenger', 'in_sample')"),
        text("model_version", "Version in the registry"),
        text("model_digest", "SHA-256 over the model's files"),
        Column("score", "double", "Probability of the positive class", rule="score BETWEEN 0 AND 1"),
        Column(
            "threshold", "double", "Cost-optimal threshold of the model", rule="threshold BETWEEN 0 AND 1"
        ),
        Column("decision", "boolean", "score >= threshold"),
        number("features_version", "Delta version of gold.features that was scored", "bigint", required=True),
        RUN_ID,
        AS_OF,
    ),
    day="predict_date",
    owner="data science",
)

EVALUATIONS = Contract(
    table="ml.evaluations",
    grain="metric of a model on a slice of the holdout, or the difference to another model's",
    # With the digests: another training in the same run is evaluated too, and not taken for the first.
    key=(
        "run_id",
        "role",
        "model_digest",
        "compared_to",
        "compared_digest",
        "slice",
        "slice_value",
        "metric",
    ),
    columns=(
        RUN_ID,
        AS_OF,
        Column("role", "string", "Model", rule="role IN ('baseline', 'challenger', 'champion')"),
        text("model_digest", "SHA-256 over the model's files"),
        text("compared_to", "'' for the model's own value, else the role whose value is subtracted"),
        text("compared_digest", "SHA-256 over the files of the model whose value is subtracted, or ''"),
        Column("trained_until", "date", "Day after the model's last training day", unit="UTC"),
        text("slice", "'all' or the name of the slice"),
        text("slice_value", "'all' or the group"),
        text("metric", "Name in metrics.METRICS"),
        number("value", "Point estimate; null: not defined on these rows"),
        number("low", "Lower end of the 95 % day-block interval"),
        number("high", "Upper end of the 95 % day-block interval"),
        number("rows", "Labelled rows", "bigint", required=True),
        number("positives", "Positive rows", "bigint", required=True),
        number("days", "Days", "int", required=True),
        Column("holdout_start", "date", "First day of the holdout", unit="UTC"),
        Column("holdout_end", "date", "Day after the last day of the holdout", unit="UTC"),
    ),
    owner="data science",
)

TRIALS = Contract(
    table="ml.trials",
    grain="finished trial of a study",
    key=("study", "number"),
    columns=(
        text("study", "Name of the study: role and fingerprint of data, space and seed"),
        number("number", "Trial number from 0", "int", required=True),
        text("role", "baseline or challenger"),
        Column("state", "string", "How it ended", rule="state IN ('COMPLETE', 'PRUNED', 'FAIL')"),
        number("value", "Mean validation average precision; null when pruned"),
        text("params", "JSON: hyper-parameters"),
        text("intermediate", "JSON: running mean by fold"),
        RUN_ID,
    ),
    owner="data science",
)

QUALITY_WINDOWS = Contract(
    table="ops.quality_windows",
    grain="complete 7-day window x model version",
    key=("model_version", "window_start"),
    columns=(
        text("model_version", "Version in the registry"),
        Column("window_start", "date", "First day", unit="UTC"),
        Column("window_end", "date", "Day after the last day", unit="UTC"),
        number("rows", "Predictions", "bigint", required=True),
        number("labels", "Predictions with a label, or known never to get one", "bigint", required=True),
        number("positives", "Positive labels", "bigint", required=True),
        number("mean_score", "Mean probability"),
        number("positive_rate", "Share of positive labels"),
        *(
            number(f"{metric}{end}", f"{description}{says}")
            for metric, description in (
                ("average_precision", "Average precision"),
                ("roc_auc", "Area under the ROC curve"),
                ("brier_loss", "Brier loss"),
                ("cost", "Mean cost of the decisions"),
            )
            for end, says in (("", ""), ("_low", ", lower 95 %"), ("_high", ", upper 95 %"))
        ),
        Column("is_violation", "boolean", "A quality rule is broken"),
        Column("broken_rules", "array<string>", "Names of the broken quality rules"),
        RUN_ID,
    ),
    owner="data science",
)

ALERTS = Contract(
    table="ops.alerts",
    grain="alert or retrain decision of a run",
    key=("alert_id",),
    columns=(
        text("alert_id", "SHA-256 over rule, subject and evidence: the same finding is one alert"),
        text("rule", "Rule that fired"),
        Column("severity", "string", "How urgent", rule="severity IN ('info', 'warning', 'critical')"),
        text("subject", "Table, feature, source or model version"),
        text("reason", "What was found, with values and limits"),
        text("owner", "Who acts"),
        RUN_ID,
        AS_OF,
    ),
    owner="platform",
)

PROMOTION_LEDGER = Contract(
    table="ops.promotion_ledger",
    grain="promotion decision",
    key=("sequence",),
    columns=(
        number("sequence", "1, 2, 3, ...", "bigint", required=True),
        RUN_ID,
        AS_OF,
        text("subject", "SHA-256 over the evaluation's run and the models' digests: decided once"),
        Column("decision", "string", "Outcome", rule="decision IN ('promoted', 'refused')"),
        text("elected", "Role of the elected model; null: none", required=False),
        text("model_version", "Version registered; null: none", required=False),
        text("model_digest", "SHA-256 over the model's files; null: none", required=False),
        Column("reasons", "array<string>", "Every rule with value, limit and outcome"),
        text("evidence", "JSON: the whole verdict"),
        text("evidence_hash", "SHA-256 of the evidence"),
        Column("holdout_start", "date", "First day of the holdout that was judged", unit="UTC"),
        Column("holdout_end", "date", "Day after the last day of that holdout", unit="UTC"),
        Column("input_versions", "map<string,bigint>", "Delta version of every table that training read"),
        text("git_commit", "Commit of the code; 'unknown' outside a checkout"),
        text("champion_before", "Version with the alias before; null: none", required=False),
        text("champion_after", "Version with the alias after; null: none", required=False),
        Column("recorded_at", "timestamp", "Wall clock", unit="UTC"),
    ),
    owner="ml platform",
)

_DRIFT_DELTAS = ("count", "avg", "percent_null", "percent_zeros", "percent_distinct")

PROFILE_METRICS = Contract(
    table="ops.profile_metrics",
    grain="column x window x model version; columns of the vendor's data profiling",
    key=("model_version", "log_type", "window", "column_name"),
    columns=(
        text("model_version", "Champion whose frozen edges count"),
        Column("log_type", "string", "Role of the window", rule="log_type IN ('INPUT', 'BASELINE')"),
        WINDOW,
        text("column_name", "Feature, or :table"),
        text("data_type", "Spark SQL type"),
        number("count", "Rows", "bigint", required=True),
        number("num_nulls", "Missing values", "bigint", required=True),
        number("percent_null", "Share of missing values, 0..100"),
        number("num_zeros", "Zeros", "bigint"),
        number("percent_zeros", "Share of zeros, 0..100"),
        number("distinct_count", "Distinct values", "bigint"),
        number("percent_distinct", "Share of distinct values, 0..100"),
        number("avg", "Mean"),
        number("stddev", "Standard deviation"),
        number("min", "Smallest value"),
        number("max", "Largest value"),
        Column("edges", "array<double>", "Inner bin edges, frozen with the champion", required=False),
        Column("bin_counts", "array<bigint>", "Rows per bin", required=False),
        Column(
            "frequent_items", "map<string,bigint>", "Rows by value of a categorical column", required=False
        ),
        RUN_ID,
    ),
    owner="data science",
)

DRIFT_METRICS = Contract(
    table="ops.drift_metrics",
    grain="column x window x reference x model version; columns of the vendor's data profiling",
    key=("model_version", "drift_type", "window", "column_name"),
    columns=(
        text("model_version", "Champion whose frozen edges count"),
        Column("drift_type", "string", "Reference", rule="drift_type IN ('BASELINE', 'CONSECUTIVE')"),
        WINDOW,
        Column("window_cmp", WINDOW.type, "Days of the reference", unit="UTC"),
        text("column_name", "Feature"),
        text("data_type", "Spark SQL type"),
        *(number(f"{name}_delta", f"{name}: window minus reference") for name in _DRIFT_DELTAS),
        number("js_distance", "Jensen-Shannon distance, base 2"),
        Column("ks_test", "struct<statistic:double,pvalue:double>", "Over the bins", required=False),
        number("wasserstein_distance", "Over bin centres, in the feature's unit"),
        number("population_stability_index", "Shares floored at 1e-4"),
        Column("chi_squared_test", "struct<statistic:double,pvalue:double>", "Of the counts", required=False),
        number("tv_distance", "Total variation"),
        number("l_infinity_distance", "Largest difference of shares"),
        RUN_ID,
    ),
    owner="data science",
)

TABLES = (
    QUARANTINE, RUNS, PROGRESS, INGESTION_LOG, EVENT_LOG, PREDICTIONS, EVALUATIONS, TRIALS,
    QUALITY_WINDOWS, ALERTS, PROMOTION_LEDGER, PROFILE_METRICS, DRIFT_METRICS,
)  # fmt: skip
