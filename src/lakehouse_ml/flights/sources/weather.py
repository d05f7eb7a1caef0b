"""Hourly weather at the origins, published one hour after the observation."""

from lakehouse_ml.flights.sources.timetable import ORIGINS
from lakehouse_ml.lakehouse.contract import Column, Rule
from lakehouse_ml.lakehouse.sources import source_contract

CONTRACT = source_contract(
    "weather",
    grain="hourly observation of an airport",
    key=("origin", "observed_at"),
    fields=(
        Column("origin", "string", "Airport (FAA)", rule=f"origin IN {ORIGINS}"),
        Column(
            "observed_at",
            "timestamp",
            "Hour of the observation",
            unit="UTC",
            # Features look observations up by full hours: any other would never be found.
            rule="observed_at = date_trunc('HOUR', observed_at)",
        ),
        Column(
            "temperature_f",
            "double",
            "Air temperature",
            unit="degrees Fahrenheit",
            required=False,
            rule="temperature_f BETWEEN -40 AND 130",
        ),
        Column(
            "dew_point_f",
            "double",
            "Dew point",
            unit="degrees Fahrenheit",
            required=False,
            rule="dew_point_f BETWEEN -60 AND 100",
        ),
        Column(
            "humidity_pct",
            "double",
            "Relative humidity",
            unit="percent",
            required=False,
            rule="humidity_pct BETWEEN 0 AND 100",
        ),
        Column(
            "wind_direction_deg",
            "double",
            "Direction the wind comes from",
            unit="degrees",
            required=False,
            rule="wind_direction_deg BETWEEN 0 AND 360",
        ),
        Column(
            "wind_speed_mph",
            "double",
            "Wind speed",
            unit="miles per hour",
            required=False,
            rule="wind_speed_mph BETWEEN 0 AND 150",
        ),
        Column(
            "wind_gust_mph",
            "double",
            "Gust speed",
            unit="miles per hour",
            required=False,
            rule="wind_gust_mph BETWEEN 0 AND 250",
        ),
        Column(
            "precipitation_in",
            "double",
            "Precipitation of the hour",
            unit="inches",
            rule="precipitation_in BETWEEN 0 AND 20",
        ),
        Column(
            "pressure_mb",
            "double",
            "Sea level pressure",
            unit="millibars",
            required=False,
            rule="pressure_mb BETWEEN 870 AND 1085",
        ),
        Column(
            "visibility_miles",
            "double",
            "Visibility",
            unit="miles",
            rule="visibility_miles BETWEEN 0 AND 100",
        ),
    ),
    rules=(Rule("published_after_observation", "published_at >= observed_at"),),
)
