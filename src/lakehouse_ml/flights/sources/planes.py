"""Aircraft register: a snapshot published before the first day."""

from lakehouse_ml.lakehouse.contract import Column
from lakehouse_ml.lakehouse.sources import source_contract

CONTRACT = source_contract(
    "planes",
    grain="registered aircraft",
    key=("tail_number",),
    fields=(
        Column(
            "tail_number",
            "string",
            "Registration",
            rule="tail_number RLIKE '^[0-9A-Z]{3,7}$'",
            privacy="restricted",
        ),
        Column(
            "year_built",
            "int",
            "Year of manufacture",
            required=False,
            rule="year_built BETWEEN 1940 AND 2014",
        ),
        Column("type", "string", "Kind of aircraft"),
        Column("manufacturer", "string", "Manufacturer"),
        Column("model", "string", "Model"),
        Column("engines", "int", "Number of engines", rule="engines BETWEEN 1 AND 8"),
        Column("seats", "int", "Number of seats", rule="seats BETWEEN 1 AND 900"),
        Column(
            "speed_mph",
            "int",
            "Average cruising speed",
            unit="miles per hour",
            required=False,
            rule="speed_mph BETWEEN 30 AND 700",
        ),
        Column("engine", "string", "Kind of engine"),
    ),
)
