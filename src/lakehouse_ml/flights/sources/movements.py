"""Movements: what happened to a flight, published two minutes after the event."""

from lakehouse_ml.flights.sources.timetable import DEPARTURE_NEAR_PUBLICATION, FLIGHT_FIELDS, FLIGHT_KEY
from lakehouse_ml.lakehouse.contract import Column, Rule
from lakehouse_ml.lakehouse.sources import source_contract

CONTRACT = source_contract(
    "movements",
    grain="departure, arrival, cancellation or diversion of a flight",
    key=(*FLIGHT_KEY, "event"),
    fields=(
        *FLIGHT_FIELDS,
        Column(
            "event",
            "string",
            "What happened",
            rule="event IN ('departure', 'arrival', 'cancellation', 'diversion')",
        ),
        Column("event_at", "timestamp", "When it happened", unit="UTC"),
        Column(
            "delay_minutes",
            "int",
            "Departure or arrival after schedule; negative: early",
            unit="minutes",
            required=False,
            rule="delay_minutes BETWEEN -180 AND 2880",
        ),
        Column(
            "tail_number",
            "string",
            "Aircraft that flew; known from its departure on",
            required=False,
            rule="tail_number RLIKE '^[0-9A-Z]{3,7}$'",
            privacy="restricted",
        ),
    ),
    rules=(
        Rule(
            "delay_of_departures_and_arrivals",
            "(event IN ('departure', 'arrival')) = (delay_minutes IS NOT NULL)",
        ),
        Rule("published_after_event", "published_at >= event_at"),
        DEPARTURE_NEAR_PUBLICATION,
    ),
)
