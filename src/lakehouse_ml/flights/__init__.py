"""The use case: will this flight arrive more than 15 minutes late? Asked two hours before scheduled departure."""

from lakehouse_ml.flights.features import FAMILIES
from lakehouse_ml.flights.labels import LABELS
from lakehouse_ml.flights.model import COSTS, ESTIMATORS, SLICES
from lakehouse_ml.flights.sources import SOURCES
from lakehouse_ml.flights.spine import KEY, SPINE
from lakehouse_ml.lakehouse.contract import Contract, by_table
from lakehouse_ml.lakehouse.sources import bronze_contract
from lakehouse_ml.lakehouse.tables import TABLES
from lakehouse_ml.use_case import UseCase

FEATURES = Contract(
    table="gold.features",
    grain="scheduled flight: every feature as known at predict_at",
    key=("key",),
    columns=(
        KEY,
        SPINE.contract.column("predict_date"),
        SPINE.contract.column("predict_at"),
        *(column for family in FAMILIES for column in family.contract.columns if column != KEY),
    ),
    day="predict_date",
    owner="data science",
)

USE_CASE = UseCase(
    name="flights",
    model_name="late_arrival",
    sources=SOURCES,
    spine=SPINE,
    families=FAMILIES,
    labels=LABELS,
    estimators=ESTIMATORS,
    slices=SLICES,
    costs=COSTS,
    owners={"data": "data engineering", "model": "data science", "platform": "ml platform"},
)

CONTRACTS = by_table(
    (
        *(bronze_contract(source.name) for source in SOURCES),
        *SOURCES,
        SPINE.contract,
        FEATURES,
        LABELS.contract,
        *TABLES,
    )
)
