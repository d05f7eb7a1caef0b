"""What the server answered: a source that the platform itself lands, the same for every use case."""

from lakehouse_ml.lakehouse.contract import Column
from lakehouse_ml.lakehouse.sources import source_contract
from lakehouse_ml.lakehouse.tables.columns import number, text

REQUESTS = source_contract(
    "requests",
    grain="row that the server scored; published_at is when it did (wall clock)",
    key=("request_id", "row_number"),
    fields=(
        text("request_id", "Request, as in its answer"),
        text("client_request_id", "The caller's own name for the request", required=False),
        number("row_number", "Place of the row in the request, from 1", "int", required=True),
        text("key", "Key of the entity"),
        Column("role", "string", "Who scored the row", rule="role IN ('champion', 'challenger')"),
        text("model_version", "Version in the registry"),
        text("model_digest", "SHA-256 over the model's files"),
        Column("score", "double", "Probability of the positive class", rule="score BETWEEN 0 AND 1"),
        Column(
            "threshold", "double", "Cost-optimal threshold of the model", rule="threshold BETWEEN 0 AND 1"
        ),
        Column("decision", "boolean", "score >= threshold"),
        Column(
            "features",
            "map<string,string>",
            "The feature values as sent, as JSON text; without restricted ones",
        ),
    ),
)
