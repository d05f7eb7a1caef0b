"""What each upstream system publishes: the clean records of the six sources."""

import pandas as pd

from lakehouse_ml.flights.feed.errors import FeedError
from lakehouse_ml.flights.feed.package import shipped_table

NEW_YORK = "America/New_York"
# Airports that flights go to but that the table of airports lacks; all four lie in one zone.
UNLISTED_ZONES = dict.fromkeys(("BQN", "PSE", "SJU", "STT"), "America/Puerto_Rico")
MOVEMENT_DELAY = pd.Timedelta(minutes=2)
WEATHER_DELAY = pd.Timedelta(hours=1)
SNAPSHOT_AT = pd.Timestamp("2012-12-30", tz="UTC").as_unit("ns")

PLANE_FIELDS = {"tailnum": "tail_number", "year": "year_built", "speed": "speed_mph"}
AIRPORT_FIELDS = {
    "faa": "airport",
    "lat": "latitude",
    "lon": "longitude",
    "alt": "altitude_ft",
    "tz": "utc_offset_hours",
    "dst": "daylight_saving",
    "tzone": "time_zone",
}
WEATHER_FIELDS = {
    "temp": "temperature_f",
    "dewp": "dew_point_f",
    "humid": "humidity_pct",
    "wind_dir": "wind_direction_deg",
    "wind_speed": "wind_speed_mph",
    "wind_gust": "wind_gust_mph",
    "precip": "precipitation_in",
    "pressure": "pressure_mb",
    "visib": "visibility_miles",
}


def feed_records() -> dict[str, pd.DataFrame]:
    """Every clean record of the year by source, in the fields and order of the source's contract.

    Raises:
        FeedError: The package with the tables is missing, or a destination has no known time zone.
    """
    flights, airports = shipped_table("flights"), shipped_table("airports")
    scheduled = timetable(flights, airports)
    return {
        "timetable": scheduled,
        "movements": movements(flights, scheduled),
        "weather": weather(shipped_table("weather")),
        "planes": snapshot(shipped_table("planes"), PLANE_FIELDS),
        "airports": snapshot(airports.astype({"tz": "float64"}), AIRPORT_FIELDS),
        "airlines": snapshot(shipped_table("airlines"), {}),
    }


def timetable(flights: pd.DataFrame, airports: pd.DataFrame) -> pd.DataFrame:
    """One row per scheduled flight, published at noon New York time on the local day before departure.

    Args:
        flights: The shipped flights, one row per flight; ``time_hour`` is the scheduled hour in UTC.
        airports: The shipped airports; gives the destination's time zone.

    Raises:
        FeedError: A destination has no known time zone.
    """
    past_hour = pd.to_timedelta(flights["minute"], unit="min")
    departure = pd.to_datetime(flights["time_hour"], utc=True) + past_hour
    zones = flights["dest"].map(airports.set_index("faa")["tzone"].to_dict() | UNLISTED_ZONES)
    return pd.DataFrame(
        {
            **{name: flights[name] for name in ("carrier", "flight", "origin")},
            "scheduled_departure_at": departure,
            "destination": flights["dest"],
            "distance_miles": flights["distance"],
            "scheduled_arrival_at": scheduled_arrival(departure, flights["sched_arr_time"], zones),
            "published_at": noon_before(departure),
        }
    )


def noon_before(departure: "pd.Series[pd.Timestamp]") -> "pd.Series[pd.Timestamp]":
    """Noon in New York on the local day before each departure, in UTC."""
    local_day = departure.dt.tz_convert(NEW_YORK).dt.tz_localize(None).dt.normalize()
    return (local_day - pd.Timedelta(hours=12)).dt.tz_localize(NEW_YORK).dt.tz_convert("UTC")


def scheduled_arrival(
    departure: "pd.Series[pd.Timestamp]", clock: "pd.Series[int]", zones: "pd.Series[str]"
) -> "pd.Series[pd.Timestamp]":
    """The first moment after departure at which the destination's clocks show the scheduled arrival, in UTC.

    Args:
        departure: Scheduled departure, UTC.
        clock: Scheduled arrival as the destination's wall clock, HHMM.
        zones: The destination's IANA time zone.

    Raises:
        FeedError: A zone is missing. A clock time that the zone skips or shows twice that day raises too.
    """
    if zones.isna().any():
        rows = list(zones.index[zones.isna()][:3])
        raise FeedError(f"rows {rows}: the destination has no time zone; add it to UNLISTED_ZONES")
    parts = [
        _arrival_in_zone(departure[of_zone], clock[of_zone], str(zone))
        for zone, of_zone in zones.groupby(zones).groups.items()
    ]
    return pd.concat(parts).reindex(departure.index)


def _arrival_in_zone(
    departure: "pd.Series[pd.Timestamp]", clock: "pd.Series[int]", zone: str
) -> "pd.Series[pd.Timestamp]":
    left = departure.dt.tz_convert(zone).dt.tz_localize(None)
    same_day = left.dt.normalize() + pd.to_timedelta(clock // 100 * 60 + clock % 100, unit="min")
    arrival = same_day.where(same_day > left, same_day + pd.Timedelta(days=1))
    return arrival.dt.tz_localize(zone).dt.tz_convert("UTC")


def movements(flights: pd.DataFrame, scheduled: pd.DataFrame) -> pd.DataFrame:
    """One row per departure, arrival, cancellation or diversion, published two minutes after it happened.

    Args:
        flights: The shipped flights; delays in minutes, missing where the flight did not leave or not arrive.
        scheduled: The timetable of the same flights, with the same index.
    """
    left, arrived = flights["dep_delay"].notna(), flights["arr_delay"].notna()
    departs, arrives = scheduled["scheduled_departure_at"], scheduled["scheduled_arrival_at"]
    happened = pd.concat(
        [
            _events("departure", departs[left], flights["dep_delay"], flights["tailnum"]),
            _events("arrival", arrives[arrived], flights["arr_delay"]),
            _events("cancellation", departs[~left]),
            _events("diversion", arrives[left & ~arrived]),
        ]
    )
    key = scheduled[["carrier", "flight", "origin", "scheduled_departure_at"]]
    return key.join(happened, how="inner").reset_index(drop=True)


def _events(
    event: str,
    planned: "pd.Series[pd.Timestamp]",
    delay: "pd.Series[int] | None" = None,
    tail_number: "pd.Series[str] | None" = None,
) -> pd.DataFrame:
    minutes = pd.Series(pd.NA, planned.index, "Int64") if delay is None else delay[planned.index]
    event_at = planned + pd.to_timedelta(minutes.fillna(0), unit="min")
    return pd.DataFrame(
        {
            "event": event,
            "event_at": event_at,
            "delay_minutes": minutes,
            "tail_number": None if tail_number is None else tail_number[planned.index],
            "published_at": event_at + MOVEMENT_DELAY,
        }
    )


def weather(observations: pd.DataFrame) -> pd.DataFrame:
    """One row per airport and hour, published an hour later; the hour is the shipped UTC one.

    The local hour would not do: when daylight saving ends, one of them exists twice.
    """
    observed_at = pd.to_datetime(observations["time_hour"], utc=True)
    measured = observations[list(WEATHER_FIELDS)].rename(columns=WEATHER_FIELDS).astype("float64")
    described = measured.assign(published_at=observed_at + WEATHER_DELAY)
    described.insert(0, "origin", observations["origin"])
    described.insert(1, "observed_at", observed_at)
    return described


def snapshot(table: pd.DataFrame, names: dict[str, str]) -> pd.DataFrame:
    """A shipped table under the contract's names, published as a whole before the first day.

    Args:
        table: The shipped table.
        names: The contract's name by the shipped one, where they differ.
    """
    return table.rename(columns=names).assign(published_at=SNAPSHOT_AT)
