"""What models did: predictions, evaluations, trials."""

from lakehouse_ml.lakehouse.contract import Column, Contract
from lakehouse_ml.lakehouse.tables.columns import AS_OF, RUN_ID, number, text

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
        text("keys_digest", "SHA-256 over the sorted keys of the rows; null: of a slice", required=False),
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
