"""Weather: the newest observations known when the question is asked."""

from collections.abc import Callable
from datetime import timedelta

import numpy as np
import pandas as pd
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from lakehouse_ml.flights.features.families import family_contract, feature, schema_of
from lakehouse_ml.flights.features.states import HOUR_US, questions
from lakehouse_ml.flights.features.windows import Floats, integers
from lakehouse_ml.flights.sources.timetable import ORIGINS
from lakehouse_ml.lakehouse.day_blocks import by_day_blocks
from lakehouse_ml.lakehouse.event_sums import shared_codes
from lakehouse_ml.lakehouse.point_in_time import as_of, micros
from lakehouse_ml.use_case import Family

LOOKBACK = timedelta(days=2)
BLOCK = timedelta(days=84)
# The newest observation may be three hours old; the trend reaches three hours further back.
OLDEST_HOURS, TREND_HOURS = 3, 3

OBSERVED = (
    "pressure_mb",
    "dew_point_f",
    "temperature_f",
    "visibility_miles",
    "wind_speed_mph",
    "wind_direction_deg",
)
OF_ORIGIN = (
    feature("origin_pressure_mb", "Sea level pressure at the origin", "millibars"),
    feature("origin_pressure_change_3h_mb", "Its change within three hours", "millibars"),
    feature("origin_dew_point_f", "Dew point at the origin", "degrees Fahrenheit"),
    feature("origin_temperature_f", "Air temperature at the origin", "degrees Fahrenheit"),
    feature("origin_wind_speed_mph", "Wind speed at the origin", "miles per hour"),
    feature("origin_visibility_3h_min_miles", "Lowest visibility of three hours at the origin", "miles"),
)
OF_CITY = (
    feature("city_pressure_mb", "Mean sea level pressure of the three airports", "millibars"),
    feature("city_wind_east_mph", "Mean wind towards the east of the three airports", "miles per hour"),
    feature("city_wind_north_mph", "Mean wind towards the north of the three airports", "miles per hour"),
    feature(
        "city_visibility_3h_min_miles", "Mean of the airports' lowest visibility of three hours", "miles"
    ),
)
CONTRACT = family_contract("weather", *OF_ORIGIN, *OF_CITY)


def weather(flights: DataFrame, observations: DataFrame) -> DataFrame:
    """The weather as known when the question is asked; one row per flight.

    Args:
        flights: ``gold.flights``.
        observations: ``silver.weather``, revisions published within the lookback.
    """
    records = observations.select(
        "origin",
        F.unix_micros("observed_at").alias("observed_us"),
        F.unix_micros("published_at").alias("published_us"),
        F.col("_revision").alias("revision"),
        *OBSERVED,
    )
    return by_day_blocks(questions(flights), records, weather_in_block, schema_of(CONTRACT), LOOKBACK, BLOCK)


def weather_in_block(flights: pd.DataFrame, records: pd.DataFrame) -> pd.DataFrame:
    """The family for the flights of a block of days; records as made by :func:`weather`."""
    moments, row = np.unique(integers(flights["predict_us"]), return_inverse=True)
    records = records.sort_values(["published_us", "revision"], ignore_index=True)
    at = {origin: weather_at(origin, moments, records) for origin in ORIGINS}
    is_from = [(flights["origin"] == origin).to_numpy() for origin in ORIGINS]
    own = {
        c.name: np.select(is_from, [at[o][_plain(c.name)][row] for o in ORIGINS], np.nan) for c in OF_ORIGIN
    }
    city = {c.name: _over(np.nanmean, [at[o][_plain(c.name)] for o in ORIGINS])[row] for c in OF_CITY}
    return pd.DataFrame({"key": flights["key"], **own, **city})


def weather_at(origin: str, moments: np.ndarray, records: pd.DataFrame) -> dict[str, Floats]:
    """Newest known values and trends at an airport, by name, shape (n_moments,) each.

    Args:
        origin: The airport.
        moments: Instants in microseconds UTC, shape (n_moments,).
        records: Observations in order of publication.
    """
    by_hour = _observed_by_hour(origin, moments, records)
    by_hour |= wind_components(by_hour["wind_speed_mph"], by_hour["wind_direction_deg"])
    pressure, visibility = by_hour["pressure_mb"], by_hour["visibility_miles"]
    lowest = _over(np.nanmin, list(visibility[:, : TREND_HOURS + 1].T))
    newest = {name: _newest(values) for name, values in by_hour.items()}
    change = newest["pressure_mb"] - _newest(pressure, older_by=TREND_HOURS)
    return newest | {"pressure_change_3h_mb": change, "visibility_3h_min_miles": lowest}


def wind_components(speed: Floats, direction_deg: Floats) -> dict[str, Floats]:
    """Wind towards the east and the north from its speed and the direction that it comes from."""
    angle = np.radians(direction_deg)
    # Calm air has no direction.
    return {
        "wind_east_mph": np.where(speed == 0, 0.0, -speed * np.sin(angle)),
        "wind_north_mph": np.where(speed == 0, 0.0, -speed * np.cos(angle)),
    }


def _observed_by_hour(origin: str, moments: np.ndarray, records: pd.DataFrame) -> dict[str, Floats]:
    """Values as known at each moment, for the hour of the moment and the hours before: shape (n_moments, n_hours)."""
    hours = (moments // HOUR_US)[:, None] * HOUR_US - HOUR_US * np.arange(OLDEST_HOURS + TREND_HOURS + 1)
    asked = pd.DataFrame({"origin": origin, "observed_us": hours.ravel()})
    observation, wanted = shared_codes(records[["origin", "observed_us"]], asked)
    published, now = integers(records["published_us"]), np.repeat(moments, hours.shape[1])
    found = as_of(observation, published, wanted, now)
    # Nothing found is position -1: the row added at the end.
    is_expired = now - np.append(published, 0)[found] >= micros(LOOKBACK)
    values = {name: np.append(records[name].to_numpy(np.float64), np.nan)[found] for name in OBSERVED}
    return {name: np.where(is_expired, np.nan, value).reshape(hours.shape) for name, value in values.items()}


def _newest(values: Floats, older_by: int = 0) -> Floats:
    """The newest value of each row that is not too old, or the one so many hours before it."""
    hour = (~np.isnan(values[:, : OLDEST_HOURS + 1])).argmax(axis=1)
    newest: Floats = values[np.arange(len(values)), hour + older_by]
    return newest


def _over(function: Callable[..., Floats], values: list[Floats]) -> Floats:
    """A figure over several arrays, place by place; missing where all are."""
    stacked = np.stack(values)
    result = np.full(stacked.shape[1], np.nan)
    is_any = ~np.isnan(stacked).all(axis=0)
    result[is_any] = function(stacked[:, is_any], axis=0)
    return result


def _plain(feature_name: str) -> str:
    return feature_name.split("_", 1)[1]


FAMILY = Family(contract=CONTRACT, inputs=("weather",), lookback=LOOKBACK, build=weather)
