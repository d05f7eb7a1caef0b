"""The timetable: scheduled flights, published the day before at noon New York time."""

from lakehouse_ml.lakehouse.contract import Column, Rule
from lakehouse_ml.lakehouse.sources import source_contract

ORIGINS = ("EWR", "JFK", "LGA")
FLIGHT_KEY = ("carrier", "flight", "origin", "scheduled_departure_at")

FLIGHT_FIELDS = (
    Column("carrier", "string", "Carrier code (IATA)", rule="carrier RLIKE '^[0-9A-Z]{2}$'"),
    Column("flight", "int", "Flight number", rule="flight BETWEEN 1 AND 9999"),
    Column("origin", "string", "Departure airport (FAA)", rule=f"origin IN {ORIGINS}"),
    Column(
        "scheduled_departure_at",
        "timestamp",
        "Scheduled departure, to the minute",
        unit="UTC",
        # A flight's key tells the minute: two departures within one would be one flight.
        rule="scheduled_departure_at = date_trunc('MINUTE', scheduled_departure_at)",
    ),
)
# A flight is asked about if it was published within so many hours of its departure. Timetables come out the day before;
# there is room for one that comes out early.
AHEAD_HOURS = 98

# No timetable reaches further; what does bears a system's last day, and windows cannot be counted from it.
DEPARTURE_NEAR_PUBLICATION = Rule(
    "departure_near_publication",
    "scheduled_departure_at BETWEEN published_at - INTERVAL 400 DAYS AND published_at + INTERVAL 400 DAYS",
)

CONTRACT = source_contract(
    "timetable",
    grain="scheduled flight",
    key=FLIGHT_KEY,
    fields=(
        *FLIGHT_FIELDS,
        Column("destination", "string", "Arrival airport (FAA)", rule="destination RLIKE '^[A-Z]{3}$'"),
        Column(
            "distance_miles",
            "int",
            "Great-circle distance",
            unit="miles",
            rule="distance_miles BETWEEN 10 AND 6000",
        ),
        Column("scheduled_arrival_at", "timestamp", "Scheduled arrival at the gate", unit="UTC"),
    ),
    rules=(
        Rule(
            "block_time_plausible",
            "timestampdiff(MINUTE, scheduled_departure_at, scheduled_arrival_at) BETWEEN 10 AND 1200",
        ),
        Rule("published_before_departure", "published_at < scheduled_departure_at + INTERVAL 1 DAY"),
        DEPARTURE_NEAR_PUBLICATION,
        # A flight that is told earlier, and not again, is not asked about. A line without its times is rejected anyway.
        Rule(
            f"published_less_than_{AHEAD_HOURS}_hours_ahead",
            f"coalesce(published_at > scheduled_departure_at - INTERVAL {AHEAD_HOURS} HOURS, true)",
            action="warn",
        ),
    ),
)
