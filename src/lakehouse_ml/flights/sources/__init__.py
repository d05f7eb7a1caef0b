"""Contracts of the landed sources: one module per source."""

from lakehouse_ml.flights.sources import airlines, airports, movements, planes, timetable, weather

SOURCES = (
    timetable.CONTRACT,
    movements.CONTRACT,
    weather.CONTRACT,
    planes.CONTRACT,
    airports.CONTRACT,
    airlines.CONTRACT,
)
