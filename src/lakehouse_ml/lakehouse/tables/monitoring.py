"""What monitoring found: quality windows, alerts, profiles and drift with the vendor's columns."""

from lakehouse_ml.lakehouse.contract import Column, Contract
from lakehouse_ml.lakehouse.tables.columns import (
    AS_OF,
    GRANULARITY,
    MONITOR_VERSION,
    RUN_ID,
    SLICE,
    WINDOW,
    number,
    text,
)

# What the scores alone can promise, and so is estimated too; then every metric of a window.
EXPECTED = {
    "average_precision": "Average precision",
    "roc_auc": "Area under the ROC curve",
    "brier_loss": "Brier loss",
    "cost": "Mean cost of the decisions",
}
METRICS = {**EXPECTED, "calibration_error": "Mean gap of score and truth over bins"}

QUALITY_WINDOWS = Contract(
    table="ops.quality_windows",
    grain="complete 7-day window x model version that served all of its days",
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
            for metric, description in METRICS.items()
            for end, says in (("", ""), ("_low", ", lower 95 %"), ("_high", ", upper 95 %"))
        ),
        *(
            number(f"expected_{metric}", f"{description} that the scores alone promise: an estimate")
            for metric, description in EXPECTED.items()
        ),
        Column("is_violation", "boolean", "A quality rule is broken"),
        Column("broken_rules", "array<string>", "Names of the broken quality rules"),
        RUN_ID,
    ),
    owner="data science",
)

ALERTS = Contract(
    table="ops.alerts",
    grain="event in the life of an alert: opened, found again for so long that it is told again, closed",
    key=("alert_id", "sequence"),
    columns=(
        text("alert_id", "SHA-256 over rule, subject and evidence: the same finding is one alert"),
        number("sequence", "1, 2, 3, ... of the alert", "int", required=True),
        Column("event", "string", "What happened to it", rule="event IN ('opened', 'repeated', 'closed')"),
        text("rule", "Rule that fired"),
        Column("severity", "string", "How urgent", rule="severity IN ('info', 'warning', 'critical')"),
        text("subject", "Table, feature, source or model version"),
        text("reason", "What was found, with values and limits"),
        text("evidence", "What makes it this alert and no other"),
        Column("about", "string", "What is wrong", rule="about IN ('data', 'model', 'platform')"),
        text("owner", "Who acts"),
        Column("opened_at", "timestamp", "The now of the run that opened it", unit="UTC"),
        number("runs", "Runs that found it since then", "bigint", required=True),
        RUN_ID,
        AS_OF,
    ),
    day="as_of",
    owner="platform",
)

RETRAIN_DECISIONS = Contract(
    table="ops.retrain_decisions",
    grain="decision whether to train a new model, where it differs from the decision before",
    key=("sequence",),
    columns=(
        number("sequence", "1, 2, 3, ...", "bigint", required=True),
        Column("outcome", "string", "What follows", rule="outcome IN ('none', 'held_back', 'requested')"),
        text("request_key", "SHA-256 over model version and evidence: it starts one training; null: none", False),
        text("model_version", "Champion that is to be replaced"),
        Column("reasons", "array<string>", "Codes of what asks for a new model"),
        Column("held_back_by", "array<string>", "Codes of what speaks against training now"),
        Column("explanation", "array<string>", "Every reason, for and against, in words"),
        number(
            "trained", "Newest training's row in ops.promotion_ledger; 0: none. A later one answers the request",
            "bigint", required=True,
        ),
        RUN_ID,
        AS_OF,
    ),
    owner="data science",
)  # fmt: skip

DATA_TYPE = text("data_type", "double for numbers and booleans, string; table for :table, which has none")

_DRIFT_DELTAS = ("count", "avg", "percent_null", "percent_zeros", "percent_distinct")

PROFILE_METRICS = Contract(
    table="ops.profile_metrics",
    grain="column x window x model version, as the days were when first counted; columns of the vendor's profiling",
    key=("model_version", "log_type", "window", "column_name"),
    columns=(
        text("model_version", "Champion whose frozen edges count"),
        Column("log_type", "string", "Role of the window", rule="log_type IN ('INPUT', 'BASELINE')"),
        WINDOW,
        GRANULARITY,
        number("logging_table_commit_version", "Delta version of gold.features", "bigint"),
        MONITOR_VERSION,
        *SLICE,
        text("column_name", "Feature, or :table"),
        DATA_TYPE,
        number("count", "Rows", "bigint", required=True),
        number("num_nulls", "Missing values", "bigint", required=True),
        number("percent_null", "Share of missing values, 0..100"),
        number("num_nan", "Values that are not a finite number", "bigint"),
        number("percent_nan", "Share of values that are not a finite number, 0..100"),
        number("num_zeros", "Zeros", "bigint"),
        number("percent_zeros", "Share of zeros, 0..100"),
        number(
            "distinct_count",
            "Distinct values: an estimate of numbers; of text over several days, those stored by name for a day",
            "bigint",
        ),
        number("percent_distinct", "Share of distinct values, 0..100"),
        number("avg", "Mean"),
        number("stddev", "Standard deviation"),
        number("min", "Smallest value"),
        number("max", "Largest value"),
        Column(
            "quantiles",
            "array<double>",
            "From 0 to 1 by tenths, within the bins by proportion",
            required=False,
        ),
        number("median", "The same"),
        number("min_length", "Characters of the shortest value of a text, as distinct_count", "bigint"),
        number("max_length", "Characters of the longest value of a text, as distinct_count", "bigint"),
        number("avg_length", "Mean characters of a text, as distinct_count"),
        Column("non_null_columns", "array<string>", "Of :table, features with any value", required=False),
        Column("edges", "array<double>", "Inner bin edges, frozen with the champion", required=False),
        Column("bin_counts", "array<bigint>", "Rows per bin", required=False),
        Column(
            "frequent_items",
            "array<struct<item:string,count:bigint>>",
            "Rows by value of a categorical column, the most frequent first",
            required=False,
        ),
        Column("distinct_sketch", "binary", "Registers of distinct_count, which add up", required=False),
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
        Column(
            "window_cmp",
            WINDOW.type,
            "Days of the window before; null for BASELINE, the training window",
            required=False,
            unit="UTC",
        ),
        GRANULARITY,
        MONITOR_VERSION,
        *SLICE,
        text("column_name", "Feature, or :table"),
        DATA_TYPE,
        *(number(f"{name}_delta", f"{name}: window minus reference") for name in _DRIFT_DELTAS),
        Column(
            "non_null_columns_delta",
            "struct<added:array<string>,missing:array<string>>",
            "Of :table, features that came and went",
            required=False,
        ),
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
