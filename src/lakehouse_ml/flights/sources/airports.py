"""Airports: a snapshot published before the first day."""

from lakehouse_ml.lakehouse.contract import Column
from lakehouse_ml.lakehouse.sources import source_contract

CONTRACT = source_contract(
    "airports",
    grain="airport",
    key=("airport",),
    fields=(
        Column("airport", "string", "Airport (FAA)", rule="airport RLIKE '^[0-9A-Z]{3}$'"),
        Column("name", "string", "Usual name"),
        Column("latitude", "double", "Latitude", unit="degrees north", rule="latitude BETWEEN -90 AND 90"),
        Column(
            "longitude", "double", "Longitude", unit="degrees east", rule="longitude BETWEEN -180 AND 180"
        ),
        Column("altitude_ft", "int", "Altitude", unit="feet", rule="altitude_ft BETWEEN -300 AND 15000"),
        Column(
            "utc_offset_hours",
            "double",
            "Standard time's offset",
            unit="hours",
            rule="utc_offset_hours BETWEEN -12 AND 14",
        ),
        Column(
            "daylight_saving",
            "string",
            "A: United States, U: unknown, N: none",
            rule="daylight_saving IN ('A', 'U', 'N')",
        ),
        Column("time_zone", "string", "IANA time zone", required=False),
    ),
)
