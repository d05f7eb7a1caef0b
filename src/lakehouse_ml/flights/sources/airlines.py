"""Carriers: a snapshot published before the first day."""

from lakehouse_ml.lakehouse.contract import Column
from lakehouse_ml.lakehouse.sources import source_contract

CONTRACT = source_contract(
    "airlines",
    grain="carrier",
    key=("carrier",),
    fields=(
        Column("carrier", "string", "Carrier code (IATA)", rule="carrier RLIKE '^[0-9A-Z]{2}$'"),
        Column("name", "string", "Full name"),
    ),
)
