"""The feature families, in the order of their columns."""

from lakehouse_ml.flights.features import arrivals, history, lateness, rotation, route, schedule, weather

FAMILIES = (
    route.FAMILY,
    schedule.FAMILY,
    weather.FAMILY,
    lateness.FAMILY,
    arrivals.FAMILY,
    history.FAMILY,
    rotation.FAMILY,
)
